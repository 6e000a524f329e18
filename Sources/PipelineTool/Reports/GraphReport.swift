import Pipeline
import Store

/// A provenance graph as a tree of lines: each artifact in full once, and by its digest wherever else it comes up.
struct GraphReport {
    private let graph: ProvenanceGraph

    init(_ graph: ProvenanceGraph) { self.graph = graph }

    var json: JSONValue {
        [
            "nodes": .array(
                graph.nodes.map { node in
                    let origin = node.artifact?.provenance
                    return [
                        "digest": .string(node.digest.description), "kind": node.artifact.map { .string($0.kind) } ?? .null,
                        "names": .array(node.names.map { .string($0) }), "stage": origin.map { .string($0.stage) } ?? .null,
                        "source": origin?.source ?? .null, "license": origin?.license.map { .string($0) } ?? .null,
                    ]
                }),
            "edges": .array(
                graph.edges.map { edge in
                    [
                        "from": .string(edge.from.description), "to": .string(edge.to.description),
                        "role": edge.role.map { .string($0) } ?? .null,
                    ]
                }),
        ]
    }

    var text: String {
        let nodes = Dictionary(graph.nodes.map { ($0.digest, $0) }) { first, _ in first }
        var told: Set<Digest> = []
        var text = ""
        func visit(_ digest: Digest, _ role: String, _ depth: Int) {
            let space = String(repeating: "  ", count: depth + 1)
            let node = nodes[digest]
            let names = (node?.names ?? []).joined(separator: ", ")
            let isNew = told.insert(digest).inserted
            text += space + role + (node?.artifact?.kind ?? "gone") + " " + digest.short + (names.isEmpty ? "" : "  " + names)
            guard isNew, let artifact = node?.artifact else { return text += isNew ? "\n" : "  (see above)\n" }
            text += "  by \(FormatError.printable(artifact.provenance.stage))\n"
            for (path, value) in Self.sources(of: artifact) { text += "\(space)  source \(path)\(value)\n" }
            for edge in graph.edges where edge.from == digest { visit(edge.to, edge.role.map { $0 + ": " } ?? "", depth + 1) }
        }
        visit(graph.root, "", 0)
        return text
    }

    /// Where foreign data came from, a line each; stages that read files record what those were in their recipe.
    private static func sources(of artifact: Artifact) -> [(String, String)] {
        // Adapted models carry the source of what they were made from, which is shown there.
        guard artifact.provenance.inputs.isEmpty else { return [] }
        var found: [(String, String)] = []
        func visit(_ json: JSONValue, _ path: String) {
            if let members = json.objectValue {
                for (key, member) in members.sorted(by: { $0.key < $1.key }) { visit(member, path.isEmpty ? key : path + "." + key) }
            } else if json != .null, let text = json.stringValue ?? (try? json.canonicalText()) {
                found.append((path.isEmpty ? "" : FormatError.printable(path) + ": ", FormatError.printable(text, limit: 100)))
            }
        }
        visit(artifact.provenance.source, "")
        visit(artifact.provenance.recipe["files"] ?? .null, "files")
        return found
    }
}
