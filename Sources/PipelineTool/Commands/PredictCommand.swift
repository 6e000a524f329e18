import ArgumentParser
import Foundation
import Pipeline
import Store
import Tensors

struct PredictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict", abstract: "Says what an adapted model thinks of a text.",
        discussion: """
            Of a file or standard input: one text a line, a tab between the two texts of a pair. \
            The answer is then tab-separated too.

              pipeline predict reviews-minilm --text "A warm and funny film."
              pipeline predict mrpc-minilm --text "It rained all day." --pair "The day was wet."
              pipeline predict reviews-minilm --input sentences.txt > predictions.tsv
            """)

    @Argument(help: ArgumentHelp("A run, or a model with a head.", valueName: "run"))
    var subject: String

    @Option(parsing: .unconditional, help: ArgumentHelp("A text.", valueName: "text"))
    var text: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("The second text of a pair.", valueName: "text"))
    var pair: String?

    @Option(help: ArgumentHelp("A file of texts, one a line; - is standard input.", valueName: "file"))
    var input: String?

    @Option(
        help: ArgumentHelp(
            "Longest sequence in tokens. Default: that of the dataset that the model was adapted on.",
            valueName: "tokens"))
    var maxLength: Int?

    @Option(
        help: ArgumentHelp(
            "Number format of matrix products: fp32 or bf16. Default: that of the adaptation.", valueName: "format"))
    var precision: Precision?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (text == nil) != (input == nil) else { throw ValidationError("Give either --text or --input.") }
        if pair != nil, text == nil { throw ValidationError("--pair belongs to --text.") }
    }

    /// Texts that are predicted together.
    private static let chunk = 1024

    func run() throws {
        let session = try Session(common, .reading, title: "predict")
        // Nothing is saved here, so Ctrl-C may end the process as it ends any other.
        let context = StageContext(store: session.store, threads: common.threadCount)
        let predictor = try Predictor(subject, maxLength: maxLength, precision: precision, context: context)
        if let text { try predict(text, predictor, session) } else { try predictFile(predictor, session) }
    }

    private func predict(_ text: String, _ predictor: Predictor, _ session: Session) throws {
        if let isPair = predictor.isPair, isPair != (pair != nil) {
            throw PipelineError(
                .usage, isPair ? "the model takes pairs of texts" : "the model takes single texts",
                advice: isPair ? "Give --pair too." : "Leave out --pair.")
        }
        let output = try predictor.predict([(text, pair)])[0]
        var table = TextTable([.left, .right])
        if let value = output.value { table.add("value", NumberText.fixed(value, 4)) }
        for (name, probability) in zip(predictor.labelNames, output.probabilities ?? []).sorted(by: { $0.1 > $1.1 }) {
            table.add(FormatError.printable(name), NumberText.fixed(probability, 4))
        }
        let answer =
            output.value.map { NumberText.fixed($0, 4) }
            ?? (output.labels.isEmpty
                ? "none of the labels" : output.labels.map { FormatError.printable($0) }.joined(separator: ", "))
        let truncated = output.wasTruncated ? "  the text was longer than the model's limit and was truncated\n" : ""
        try session.finish(
            Report(
                json: Self.json(predictor, [Self.prediction(output, predictor)]),
                text: answer + "\n" + table.text + truncated,
                next: session.command("export", subject, "FOLDER")))
    }

    private func predictFile(_ predictor: Predictor, _ session: Session) throws {
        let source = try InputPairs(input, isPair: predictor.isPair)
        var predictions: [JSONValue] = []
        var number = 0
        if !common.json {
            try StandardOutput.write(TabSeparatedText.line(["index", "prediction"] + predictor.labelNames))
        }
        // Of a pipe each answer comes as soon as its line is there; lines before one that is refused are answered. With --json all or nothing is.
        var refusal: (any Error)?
        while refusal == nil {
            var texts: [(text: String, pair: String?)] = []
            do {
                while texts.count < Self.chunk, texts.isEmpty || source.holdsLine, let (text, pair) = try source.next() {
                    texts.append((String(decoding: text, as: UTF8.self), pair.map { String(decoding: $0, as: UTF8.self) }))
                }
            } catch { refusal = error }
            if texts.isEmpty { break }
            let outputs = try predictor.predict(texts)
            if common.json {
                predictions += outputs.map { Self.prediction($0, predictor) }
            } else {
                var lines = ""
                for output in outputs {
                    let fields = [String(number), output.row.text(isMultiLabel: predictor.isMultiLabel)] + (output.probabilities ?? []).map { "\($0)" }
                    lines += TabSeparatedText.line(fields)
                    number += 1
                }
                try StandardOutput.write(lines)
            }
        }
        if let refusal { throw refusal }
        if common.json { try StandardOutput.write(Self.json(predictor, predictions).canonicalText() + "\n") }
    }

    private static func prediction(_ output: Predictor.Output, _ predictor: Predictor) -> JSONValue {
        var members = output.row.members(predictor.labelNames, isMultiLabel: predictor.isMultiLabel)
        members["truncated"] = .bool(output.wasTruncated)
        return .object(members)
    }

    private static func json(_ predictor: Predictor, _ predictions: [JSONValue]) -> JSONValue {
        [
            "model": .string(predictor.model.description), "labels": .array(predictor.labelNames.map { .string($0) }),
            "predictions": .array(predictions),
        ]
    }
}

extension Predictor.Output {
    fileprivate var row: PredictionRow {
        PredictionRow(labels: labels, probabilities: probabilities, value: value, logits: logits)
    }
}
