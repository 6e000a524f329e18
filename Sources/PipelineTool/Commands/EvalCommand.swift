import ArgumentParser
import Foundation
import Pipeline
import Store
import Tensors

struct EvalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval", abstract: "Measures an adapted model on a split.",
        discussion: """
              pipeline eval mrpc-minilm
              pipeline eval mnli-minilm --split dev_mismatched --predictions predictions.tsv
              pipeline eval mrpc-minilm --split test --submission MRPC.tsv
            """)

    @Argument(help: ArgumentHelp("A run, or a model with a head.", valueName: "run"))
    var subject: String

    @Option(
        help: ArgumentHelp(
            "Another dataset of the same labels. Default: the one that the run was adapted on.", valueName: "data"))
    var data: String?

    @Option(help: ArgumentHelp("Default: the split that models are selected on, mostly dev.", valueName: "split"))
    var split: String?

    @Option(
        help: ArgumentHelp(
            "Write every prediction with its probabilities: JSON Lines to a .jsonl file, else tab-separated.",
            valueName: "file"))
    var predictions: String?

    @Option(help: ArgumentHelp("Write the predictions as GLUE's server takes them.", valueName: "file"))
    var submission: String?

    @Option(
        help: ArgumentHelp(
            "Number format of matrix products: fp32 or bf16. Default: that of the adaptation.", valueName: "format"))
    var precision: Precision?

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try Session(common, .reading, title: "eval")
        let result = try session.perform {
            try EvaluateStage(run: subject, data: data, split: split, precision: precision).run(session.context())
        }
        let table = PredictionTable(result)
        // Refused before anything is written.
        let submitted = try submission.map { _ in try Self.submission(result, table).text }
        var files: [(String, String)] = []
        if let predictions {
            try OutputFile.write(
                predictions.hasSuffix(".jsonl") ? table.jsonLines() : table.tabSeparated, to: predictions)
            files.append(("predictions", predictions))
        }
        if let submission, let submitted {
            try OutputFile.write(submitted, to: submission)
            files.append(("submission", submission))
        }
        func rate(_ count: Int) -> Double? { result.seconds.flatMap { $0 > 0 ? Double(count) / $0 : nil } }
        func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
        let json: JSONValue = [
            "model": .string(result.model.description), "task": .string(result.task.name),
            "split": .string(result.split),
            "examples": .integer(Int64(result.examples)), "metrics": JSONValue(metrics: result.metrics),
            "numeric_path": .string(result.numericPath), "cached": .bool(result.wasCached),
            "seconds": number(result.seconds), "examples_per_second": number(rate(result.examples)),
            "tokens_per_second": number(rate(result.tokens)),
        ]
        var text =
            "\(subject) on \(result.task.name), split \(result.split): \(NumberText.count(result.examples)) examples"
            + (result.wasCached ? ", found in the store\n" : "\n")
        let metrics = MetricsTable(result.metrics, split: result.split)
        text +=
            result.metrics.isEmpty
            ? "  the split has no labels, so there is no metric\n" : metrics.text + "\n" + metrics.definitions + "\n"
        if let examples = rate(result.examples), let tokens = rate(result.tokens) {
            files.append(("rate", "\(NumberText.rate(examples)) examples/s, \(NumberText.rate(tokens)) tokens/s"))
        }
        text += TextTable.facts(files + [("model", result.model.short), ("computed by", result.numericPath)])
        let pair = result.task.isPair ? ["--pair", "…"] : []
        try session.finish(
            Report(json: json, text: text, next: session.command(words: ["predict", subject, "--text", "…"] + pair)))
    }

    private static func submission(_ result: EvaluateStage.Result, _ table: PredictionTable) throws -> GLUESubmission {
        guard let task = GLUECatalogue.task(named: result.task.name),
            let file = GLUESubmission(
                task, split: result.split, identifiers: result.identifiers, predictions: table.labels)
        else {
            let splits =
                GLUECatalogue.task(named: result.task.name)?.splits.filter { $0.submission != nil }.map(\.name) ?? []
            throw PipelineError(
                .usage, "GLUE takes no predictions for the split \(result.split) of \(result.task.name)",
                advice: splits.isEmpty
                    ? "Use --predictions."
                    : "It takes --split \(splits.joined(separator: " or ")); otherwise use --predictions.")
        }
        return file
    }
}
