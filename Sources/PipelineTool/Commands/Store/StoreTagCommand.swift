import ArgumentParser
import Pipeline
import Store

struct StoreTagCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag", abstract: "Gives an artifact a second name.",
        discussion: """
              pipeline store tag mrpc-minilm best
              pipeline store tag sha256:1f3a5c7e base --replace
            """)

    @Argument(help: ArgumentHelp("A name, a digest, or at least eight digits of one.", valueName: "name"))
    var subject: String

    @Argument(help: ArgumentHelp("The name to give.", valueName: "new"))
    var name: String

    @Option(help: ArgumentHelp("Of several kinds that have the name, this one.", valueName: "kind"))
    var kind: String?

    @Flag(help: "Take the name from what has it; that stays in the name's history.")
    var replace = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try Session(common, .reading, title: "tag")
        let store = session.store
        let (_, digest, artifact) = try store.resolve(subject, kinds: kind.map { [$0] } ?? [])
        try NameInUse.checkForm(name)
        let old = replace ? (try? store.reference(kind: artifact.kind, name: name)) ?? nil : nil
        try store.setReference(kind: artifact.kind, name: name, to: digest, replace: replace)
        let replaced = old.flatMap { $0.digest == digest ? nil : $0.digest }
        let json: JSONValue = [
            "kind": .string(artifact.kind), "name": .string(name), "digest": .string(digest.description),
            "replaced": replaced.map { .string($0.description) } ?? .null,
        ]
        let text =
            "\(artifact.kind)/\(name) is \(digest.short)\n" + (replaced.map { "it was \($0.short), which stays in its history\n" } ?? "")
        try session.finish(Report(json: json, text: text, next: session.command("store", "show", name)))
    }
}
