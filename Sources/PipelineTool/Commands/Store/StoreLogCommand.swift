import ArgumentParser
import Foundation
import Pipeline
import Store

struct StoreLogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Shows what a name stood for, and restores it.",
        discussion: """
            Entry 0 is what the name stands for now. As many earlier ones as 'store retention' says are kept from collection.

              pipeline store log mrpc-minilm
              pipeline store log mrpc-minilm --restore 1
            """)

    @Argument(help: ArgumentHelp("A name, or kind/name where several kinds have it.", valueName: "name"))
    var name: String

    @Option(help: ArgumentHelp("Of several kinds that have the name, this one.", valueName: "kind"))
    var kind: String?

    @Option(help: ArgumentHelp("Let the name stand for this entry again; the present one becomes entry 1.", valueName: "number"))
    var restore: Int?

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try Session(common, .reading, title: "log")
        let store = session.store
        let found = try NamedReference(name, kind: kind, in: store)
        func reference() throws -> Reference {
            guard let reference = try store.reference(kind: found.kind, name: found.name) else {
                throw PipelineError(.usage, "the name '\(found.text)' has just been removed")
            }
            return reference
        }
        var restored: Digest?
        if let restore {
            let history = try reference().history
            guard restore >= 1, restore <= history.count else {
                throw PipelineError(
                    .usage, "'\(found.text)' has no entry \(restore)",
                    advice: history.isEmpty ? "It never stood for anything else." : "Its earlier entries are 1 to \(history.count).")
            }
            let digest = history[restore - 1].digest
            try store.setReference(kind: found.kind, name: found.name, to: digest, replace: true)
            restored = digest
        }
        let current = try reference()
        let entries = [current.current] + current.history
        let count = try store.retention().history
        let present = entries.map { (try? store.artifact($0.digest)) != nil }
        let json: JSONValue = [
            "kind": .string(found.kind), "name": .string(found.name), "restored": restored.map { .string($0.description) } ?? .null,
            "entries": .array(
                entries.enumerated().map { number, entry in
                    [
                        "number": .integer(Int64(number)), "digest": .string(entry.digest.description),
                        "created": .number(entry.created.timeIntervalSince1970), "tool": entry.tool.map { .string($0) } ?? .null,
                        "present": .bool(present[number]), "kept": .bool(number <= count && present[number]),
                    ]
                }),
        ]
        var table = TextTable([.right, .left, .left, .left, .left])
        for (number, entry) in entries.enumerated() {
            table.add(
                "\(number)", entry.digest.short, NumberText.moment(entry.created), entry.tool.map { FormatError.printable($0) } ?? "",
                !present[number] ? "gone" : number <= count ? "" : "goes at the next collection")
        }
        let text = "\(found.text)\(restored.map { " is \($0.short) again" } ?? "")\n" + table.text
        let earlier = entries.indices.dropFirst().first { present[$0] }
        try session.finish(
            Report(
                json: json, text: text,
                next: restored == nil && earlier != nil
                    ? session.command("store", "diff", entries[0].digest.short, entries[earlier!].digest.short)
                    : session.command("store", "show", found.name)))
    }
}
