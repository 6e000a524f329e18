/// How an artifact came to be, step by step down to where foreign data came from.
public struct ProvenanceGraph: Sendable {
    public struct Node: Sendable {
        public let digest: Digest
        /// nil when it is not here, or cannot be read.
        public let artifact: Artifact?
        /// `kind/name` of the references to it; remembered stages are not among them.
        public let names: [String]
    }

    public struct Edge: Hashable, Sendable {
        public let from: Digest
        /// What it was made from, or what it mentions.
        public let to: Digest
        /// The input's role; nil for a mention in the attributes, as that of a run's model.
        public let role: String?
    }

    public let root: Digest
    /// Nearest to the root first; each once.
    public let nodes: [Node]
    public let edges: [Edge]
}

extension Store {
    /// The ancestors of an artifact. Those that are gone are nodes without an artifact.
    public func provenanceGraph(of root: Digest) throws -> ProvenanceGraph {
        var names: [Digest: [String]] = [:]
        for kind in try referenceKinds() where StoreConventions.keeps(kind) {
            for name in try references.names(kind: kind) {
                guard let reference = try? references.read(kind: kind, name: name) else { continue }
                names[reference.digest, default: []].append("\(kind)/\(name)")
            }
        }
        var nodes: [ProvenanceGraph.Node] = []
        var edges: [ProvenanceGraph.Edge] = []
        var seen: Set<Digest> = [root]
        var waiting = [root][...]
        while let digest = waiting.popFirst() {
            let artifact = try? artifact(digest)
            nodes.append(.init(digest: digest, artifact: artifact, names: names[digest] ?? []))
            guard let artifact else { continue }
            var below = artifact.provenance.inputs.sorted { $0.key < $1.key }.map {
                ProvenanceGraph.Edge(from: digest, to: $0.value, role: $0.key)
            }
            let inputs = Set(below.map(\.to))
            for other in artifact.attributes.digests.sorted() where !inputs.contains(other) && other != digest {
                // Digests of other things, such as of a tokenizer's files, are no artifacts.
                if (try? manifestReader.facts(other)) != nil { below.append(.init(from: digest, to: other, role: nil)) }
            }
            edges += below
            for edge in below where seen.insert(edge.to).inserted { waiting.append(edge.to) }
        }
        return ProvenanceGraph(root: root, nodes: nodes, edges: edges)
    }
}
