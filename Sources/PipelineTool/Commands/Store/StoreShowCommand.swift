import ArgumentParser
import Foundation
import Pipeline
import Store

struct StoreShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows what an artifact is and how it came to be.",
        discussion: """
              pipeline store show mrpc-minilm
              pipeline store show sha256:1f3a5c7e --blobs
              pipeline store show mrpc-minilm --graph
            """)

    @Argument(help: ArgumentHelp("A name, a digest, or at least eight digits of one.", valueName: "name"))
    var subject: String

    @Option(help: ArgumentHelp("Of several kinds that have the name, this one.", valueName: "kind"))
    var kind: String?

    @Flag(help: "List every blob.")
    var blobs = false

    @Flag(help: "Show how it came to be, down to the files that were imported.")
    var graph = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try Session(common, .reading, title: "show")
        let store = session.store
        let (_, digest, artifact) = try store.resolve(subject, kinds: kind.map { [$0] } ?? [])
        let names = try Names(digest, store)
        let ancestry = graph ? GraphReport(try store.provenanceGraph(of: digest)) : nil
        var members: [String: JSONValue] = [
            "digest": .string(digest.description), "kind": .string(artifact.kind),
            "names": .array(names.own.map { .string($0) }),
            "history": .array(names.history), "logical_bytes": .integer(Int64(artifact.logicalByteCount)),
            "manifest": try JSONValue(parsing: artifact.manifest()),
        ]
        members["graph"] = ancestry?.json
        var text = "\(artifact.kind) \(digest)\n"
        let provenance = artifact.provenance
        var pairs = [("names", names.own.isEmpty ? "none" : names.own.joined(separator: ", "))]
        pairs.append(("made by", "\(provenance.stage), version \(provenance.stageVersion)"))
        for (role, input) in provenance.inputs.sorted(by: { $0.key < $1.key }) {
            let inputNames = try Names(input, store).own
            pairs.append(
                ("from \(role)", "\(input.short)\(inputNames.isEmpty ? "" : "  " + inputNames.joined(separator: ", "))")
            )
        }
        pairs.append(("licence", provenance.license.map { FormatError.printable($0) } ?? "not stated"))
        pairs.append(
            (
                "size",
                NumberText.bytes(artifact.logicalByteCount)
                    + (artifact.blobs.count == 1 ? "" : " in \(artifact.blobs.count) parts")
            ))
        pairs += try facts(artifact, digest, store)
        text += TextTable.facts(pairs)
        if artifact.kind == PreparedDataset.artifactKind {
            text += "\n" + DatasetFacts(try PreparedDataset(digest: digest, artifact: artifact)).text
        }
        if let recipe = provenance.recipe.objectValue, !recipe.isEmpty {
            text += "\nrecipe\n" + Self.flat(provenance.recipe)
        }
        if blobs { text += "\nblobs\n" + Self.table(artifact.blobs) }
        if let ancestry { text += "\nhow it came to be\n" + ancestry.text }
        try session.finish(Report(json: .object(members), text: text, next: Self.next(artifact, subject, session)))
    }

    private func facts(_ artifact: Artifact, _ digest: Digest, _ store: Store) throws -> [(String, String)] {
        switch artifact.kind {
        case ModelDescription.artifactKind:
            return ModelFacts(try StoredModel(store, digest: digest, artifact: artifact).description).pairs
        case RunRecord.artifactKind:
            let record = try RunRecord(artifact)
            return [
                ("model", record.model.short),
                ("steps", "\(NumberText.count(record.steps)), kept \(NumberText.count(record.selectedStep))"),
                ("computed by", record.numericPath),
            ] + record.metrics.map { ("\(record.developmentSplit ?? "") \($0.name)", NumberText.metric($0.value)) }
        default: return []
        }
    }

    private static func next(_ artifact: Artifact, _ subject: String, _ session: Session) -> String {
        switch artifact.kind {
        case RunRecord.artifactKind: session.command("eval", subject)
        case ModelDescription.artifactKind: session.command("export", subject, "FOLDER")
        case PreparedDataset.artifactKind:
            session.command("adapt", "--model", "MODEL", "--data", subject, "--name", "RUN")
        default: session.command("store", "list")
        }
    }

    /// Leaves of a JSON value, a line each.
    private static func flat(_ json: JSONValue) -> String {
        var table = TextTable([.left, .left])
        func visit(_ value: JSONValue, _ path: String) {
            if let members = value.objectValue, !members.isEmpty {
                for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                    visit(member, path.isEmpty ? key : path + "." + key)
                }
            } else {
                let text = value.stringValue ?? ((try? value.canonicalText()) ?? "")
                table.add(FormatError.printable(path), FormatError.printable(text, limit: 100))
            }
        }
        visit(json, "")
        return table.text
    }

    private static func table(_ blobs: [BlobReference]) -> String {
        var table = TextTable([.left, .left, .left, .right, .left])
        for blob in blobs {
            table.add(
                FormatError.printable(blob.name), blob.elementType ?? "bytes", blob.shape.map { "\($0)" } ?? "",
                NumberText.bytes(blob.byteCount),
                blob.digest.short)
        }
        return table.text
    }

    /// The names of an artifact, and those that it had.
    private struct Names {
        /// `kind/name`.
        var own: [String] = []
        /// Objects with `name` and `replaced` for the names that stand for something else by now.
        var history: [JSONValue] = []

        init(_ digest: Digest, _ store: Store) throws {
            let names = try store.names(of: digest)
            own = ArtifactNames.shown(names.current)
            history = names.earlier.filter { !ArtifactNames.shown([$0.name]).isEmpty }.map {
                ["name": .string($0.name), "created": .number($0.created.timeIntervalSince1970)]
            }
        }
    }
}
