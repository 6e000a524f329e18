import ArgumentParser
import Foundation
import Pipeline
import Store

struct PrepareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prepare", abstract: "Turns a task's data into a dataset for a model.",
        discussion: """
            TASK is one of GLUE's (\(GLUECatalogue.all.map(\.name).joined(separator: ", "))), read from its official \
            files, or for your own TSV, CSV or JSON Lines \(OwnDataOptions.taskNames.joined(separator: ", ")).

              pipeline prepare --task mrpc --data ./glue --model minilm --name mrpc
              pipeline prepare --task classification --data ./reviews --model minilm --name reviews --max-length 64
              pipeline prepare --task pair-regression --data pairs.csv --label-column score --model minilm --name pairs
            """)

    @Option(help: ArgumentHelp("What is predicted.", valueName: "task"))
    var task: String

    @Option(help: ArgumentHelp("A folder with train, dev and test files, or one file.", valueName: "path"))
    var data: String

    @Option(help: ArgumentHelp("The model whose tokenizer cuts the text.", valueName: "model"))
    var model: String

    @Option(help: ArgumentHelp("The dataset's name in the store.", valueName: "data"))
    var name: String

    @Option(help: ArgumentHelp("Longest sequence in tokens; longer ones are truncated.", valueName: "tokens"))
    var maxLength = 128

    @OptionGroup(title: "Own data") var own: OwnDataArguments

    @Flag(help: "Give the name to this dataset even where it is in use; the old one stays in the name's history.")
    var replace = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let source = try source()
        let session = try Session(common, .writing, title: "prepare")
        let stage = PrepareStage(source: source, model: model, name: name, maxLength: maxLength, replaces: replace)
        let result = try session.perform { try stage.run(session.context()) }
        let facts = DatasetFacts(result.dataset)
        var json = facts.members
        json["dataset"] = .string(result.dataset.digest.description)
        json["name"] = .string(name)
        json["cached"] = .bool(result.wasCached)
        let origin = result.wasCached ? ", found in the store" : ""
        try session.finish(
            Report(
                json: .object(json), text: "dataset \(name), \(result.dataset.digest.short)\(origin)\n" + facts.text,
                next: result.dataset.splits.contains { $0.name == "train" && $0.isLabelled }
                    ? session.command("adapt", "--model", model, "--data", name, "--name", "RUN")
                    : session.command("eval", "RUN", "--data", name, "--split", result.dataset.splits.first?.name ?? "SPLIT")))
    }

    private func source() throws -> PrepareStage.Source {
        let url = URL(fileURLWithPath: data)
        if let glue = GLUECatalogue.task(named: task) {
            if let given = own.given.first {
                throw PipelineError(
                    .usage, "\(given) belongs to your own data; \(task) is read from GLUE's files",
                    advice: "Leave it out.")
            }
            return .glue(glue, folder: url)
        }
        guard var options = OwnDataOptions(taskName: task) else {
            throw PipelineError(
                .usage, "there is no task '\(FormatError.printable(task))'",
                advice: "Known tasks: \(TaskLoader.names.joined(separator: ", ")).")
        }
        try own.apply(to: &options)
        return .own(options, at: url)
    }
}

/// How to read the user's own files, where it is not to be found out.
struct OwnDataArguments: ParsableArguments {
    @Option(help: ArgumentHelp("The column or key of the text.", valueName: "name"))
    var textColumn: String?

    @Option(help: ArgumentHelp("The column or key of a pair's second text.", valueName: "name"))
    var pairColumn: String?

    @Option(help: ArgumentHelp("The column or key of the label.", valueName: "name"))
    var labelColumn: String?

    @Option(
        help: ArgumentHelp(
            "All labels in their order, with commas between. Default: those of the training split, sorted.",
            valueName: "a,b,c"))
    var labels: String?

    @Option(
        help: ArgumentHelp(
            "Between the labels of one example of a multilabel table. Default: a comma.", valueName: "text"))
    var labelSeparator: String?

    @Option(help: ArgumentHelp("tsv, csv or jsonl. Default: each file's extension.", valueName: "format"))
    var format: String?

    @Flag(help: "Take examples with an empty text.")
    var allowEmptyText = false

    /// The options that were given, as they were written.
    var given: [String] {
        [
            ("--text-column", textColumn != nil), ("--pair-column", pairColumn != nil),
            ("--label-column", labelColumn != nil),
            ("--labels", labels != nil), ("--label-separator", labelSeparator != nil), ("--format", format != nil),
            ("--allow-empty-text", allowEmptyText),
        ].filter(\.1).map(\.0)
    }

    /// - Throws: `PipelineError` with code `usage` for values that make no sense.
    func apply(to options: inout OwnDataOptions) throws {
        options.textColumn = textColumn
        options.pairColumn = pairColumn
        options.labelColumn = labelColumn
        options.allowsEmptyText = allowEmptyText
        if let labels {
            let names = labels.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            guard !names.contains("") else {
                throw PipelineError(
                    .usage, "--labels has an empty name", advice: "Write it as in --labels negative,positive.")
            }
            options.labels = names
        }
        if let labelSeparator {
            guard !labelSeparator.isEmpty else {
                throw PipelineError(
                    .usage, "--label-separator cannot be empty", advice: "Give the text that stands between two labels."
                )
            }
            options.labelSeparator = labelSeparator
        }
        if let format {
            guard let kind = OwnDataOptions.FileKind(rawValue: format) else {
                throw PipelineError(
                    .usage, "there is no format '\(FormatError.printable(format))'",
                    advice:
                        "Known formats: \(OwnDataOptions.FileKind.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            options.fileKind = kind
        }
    }
}
