import ArgumentParser
import Foundation
import Pipeline
import Remote
import Store

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Takes a pre-trained model into the store.",
        discussion: """
            SOURCE is a Hugging Face model folder, a repository of the hub, or one .safetensors file together with --config \
            and --vocabulary. HF_ENDPOINT names another hub, HF_TOKEN admits to private and gated repositories.

              pipeline import ./all-MiniLM-L6-v2 --name minilm
              pipeline import weights.safetensors --config config.json --vocabulary vocab.txt --uncased --name minilm
              pipeline import hf:sentence-transformers/all-MiniLM-L6-v2 --name minilm
              pipeline import hf:FacebookAI/roberta-base@main --name roberta
            """)

    @Argument(help: ArgumentHelp("A model folder, hf:ORG/NAME[@REVISION], or a .safetensors file.", valueName: "source"))
    var source: String

    @Option(help: ArgumentHelp("The model's name in the store.", valueName: "model"))
    var name: String

    @Option(help: ArgumentHelp("config.json of a lone weights file.", valueName: "file"))
    var config: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "vocab.txt, tokenizer.json, or vocab.json and merges.txt of a lone weights file.", valueName: "file"))
    var vocabulary: [String] = []

    enum Casing: String, EnumerableFlag {
        case cased, uncased

        static func help(for value: Casing) -> ArgumentHelp? {
            value == .cased
                ? "The tokenizer keeps case." : "The tokenizer lower-cases; for a vocabulary that does not say so."
        }
    }

    @Flag var casing: Casing?

    @Flag(help: "Take weights that hold NaN or infinity.")
    var allowNonFinite = false

    @Flag(help: "Give the name to this model even where it is in use; the old one stays in the name's history.")
    var replace = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let hubAddress = try source.hasPrefix(HubAddress.scheme) ? HubAddress(source) : nil
        if hubAddress != nil, config != nil || !vocabulary.isEmpty {
            throw PipelineError(
                .usage, "a repository of the hub brings its configuration and vocabulary",
                advice: "Leave out --config and --vocabulary.")
        }
        let session = try Session(common, .writing, title: "import")
        let download = try hubAddress.map { address in try session.perform { try HubDownload(address, session.transferContext()) } }
        var stage = ImportStage(
            source: download?.folder ?? URL(fileURLWithPath: source), configuration: config.map { URL(fileURLWithPath: $0) },
            vocabulary: vocabulary.map { URL(fileURLWithPath: $0) }, cased: casing.map { $0 == .cased }, name: name,
            replaces: replace, allowsNonFinite: allowNonFinite)
        stage.origin = download?.source
        let result = try session.perform { try stage.run(session.context()) }
        download?.remove()
        let license = try session.store.artifact(result.model).provenance.license
        let facts = ModelFacts(result.description)
        let json: JSONValue = [
            "model": .string(result.model.description), "name": .string(name),
            "cached": .bool(result.wasCached), "parameters": .integer(Int64(result.parameterCount)),
            "architecture": facts.json, "ignored": .array(result.ignored.map { .string($0) }),
            "defaulted": .array(result.defaulted.map { .string($0) }), "license": license.map { .string($0) } ?? .null,
            "origin": download?.source ?? .null,
        ]
        var pairs = facts.pairs
        if let download { pairs.append(("origin", download.description)) }
        pairs.append(("parameters", NumberText.count(result.parameterCount)))
        pairs.append(("licence", license.map { FormatError.printable($0) } ?? "not stated"))
        if !result.ignored.isEmpty {
            pairs.append(("ignored", Self.listing(result.ignored) + ", which the encoder does not have"))
        }
        if !result.defaulted.isEmpty { pairs.append(("assumed", "defaults for " + Self.listing(result.defaulted))) }
        try session.finish(
            Report(
                json: json, text: "model \(name), \(result.model.short)"
                    + (result.wasCached ? ", found in the store" : "") + "\n" + TextTable.facts(pairs),
                next: session.command("prepare", "--task", "TASK", "--data", "PATH", "--model", name, "--name", "DATA"))
        )
    }

    private static func listing(_ names: [String]) -> String {
        let shown = names.prefix(6).map { FormatError.printable($0) }.joined(separator: ", ")
        return names.count > 6 ? "\(shown) and \(names.count - 6) more" : shown
    }
}
