import ArgumentParser
import Pipeline
import Store

struct StoreRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Removes names; what only they kept goes at the next 'store gc'.",
        discussion: """
            The history of the name goes with it. A resume point of an unfinished run is progress/KEY, as 'store usage' shows it.

              pipeline store remove mrpc-minilm
              pipeline store remove run/old model/old --dry-run
            """)

    @Argument(help: ArgumentHelp("A name, or kind/name where several kinds have it.", valueName: "name"))
    var names: [String]

    @Option(help: ArgumentHelp("Of several kinds that have the name, this one.", valueName: "kind"))
    var kind: String?

    @Flag(help: "Only tell what would be freed.")
    var dryRun = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try Session(common, .reading, title: "remove")
        let store = session.store
        // All are found before any is removed.
        let found = try names.map { try NamedReference($0, kind: kind, in: store) }
        let estimate = try store.removalEstimate(of: found.map { ($0.kind, $0.name) })
        if !dryRun { for name in found { try store.removeReference(kind: name.kind, name: name.name) } }
        let kinds = estimate.artifacts.sorted { $0.key < $1.key }
        let json: JSONValue = [
            "run": .bool(!dryRun), "names": .array(found.map { .string($0.text) }), "freed_bytes": .integer(Int64(estimate.byteCount)),
            "base_bytes": .integer(Int64(estimate.baseByteCount)),
            "artifacts": .array(kinds.map { ["kind": .string($0.key), "count": .integer(Int64($0.value))] }),
        ]
        let what = kinds.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        let text =
            found.map { "\(dryRun ? "would remove" : "removed") \($0.text)\n" }.joined()
            + (kinds.isEmpty
                ? "nothing goes with \(found.count == 1 ? "it" : "them"): something else keeps the artifacts\n"
                : "the next collection frees \(NumberText.bytes(estimate.byteCount)): \(what)\n")
            + (estimate.baseByteCount == 0
                ? ""
                : "\(NumberText.bytes(estimate.baseByteCount)) only serve differences then; 'store gc' tells what becomes of them\n")
        try session.finish(
            Report(
                json: json, text: text,
                next: dryRun ? session.command(words: ["store", "remove"] + found.map(\.text)) : session.command("store", "gc")))
    }
}
