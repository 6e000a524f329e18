import ArgumentParser
import Foundation
import Pipeline
import Store

struct BenchTokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer",
        abstract: "Times a model's tokenizer on one thread, on texts in memory.",
        discussion: """
            Without a file the texts are sentences made of the vocabulary's words, the same in every run. \
            A file has one text a line, as for tokenize; a tab separates the two texts of a pair. \
            The median of the rounds counts; before them a first one over all texts meets every word for the first time, and \
            the later ones find the most frequent in the tokenizer's cache.

              pipeline bench tokenizer minilm --input sentences.txt
            """)

    @Argument(help: ArgumentHelp("A model or a run.", valueName: "model"))
    var model: String

    @Option(help: ArgumentHelp("A file of texts, one a line.", valueName: "file"))
    var input: String?

    @Option(help: ArgumentHelp("Rounds to time.", valueName: "count"))
    var rounds = 5

    @OptionGroup var common: CommonOptions

    func validate() throws { try BenchOptions.check("--rounds", rounds, 1...1000) }

    func run() throws {
        let session = try Session(common, .reading, title: "bench tokenizer")
        let stored = try StoredModel.find(model, in: session.store, preferring: .model)
        let tokenizer = try stored.tokenizer()
        var benchmark = TokenizerBenchmark(try input.map(Self.texts) ?? TokenizerBenchmark.generatedTexts(tokenizer))
        benchmark.rounds = rounds
        let result = try benchmark.run(tokenizer)
        let seconds = result.medianSeconds, texts = benchmark.texts.count
        let json: JSONValue = [
            "model": .string("\(stored.digest)"), "generated": .bool(input == nil), "texts": .integer(Int64(texts)),
            "bytes": .integer(Int64(result.byteCount)), "tokens": .integer(Int64(result.tokenCount)),
            "first_round_s": .number(result.firstSeconds), "round_s": .number(seconds), "round_seconds": .array(result.roundSeconds.map { .number($0) }),
            "texts_per_s": .number(Double(texts) / seconds), "MB_per_s": .number(Double(result.byteCount) / seconds / 1e6),
            "tokens_per_s": .number(Double(result.tokenCount) / seconds),
        ]
        let text = "tokenizer of \(model), \(input ?? "generated sentences"), one thread\n"
            + TextTable.facts([
                ("texts", "\(NumberText.count(texts)), \(NumberText.bytes(result.byteCount)), \(NumberText.count(result.tokenCount)) tokens"),
                ("rate", "\(NumberText.rate(Double(texts) / seconds)) texts/s, \(NumberText.rate(Double(result.byteCount) / seconds / 1e6)) MB/s, "
                    + "\(NumberText.rate(Double(result.tokenCount) / seconds)) tokens/s"),
                ("first round", "\(NumberText.rate(Double(texts) / result.firstSeconds)) texts/s, "
                    + "\(NumberText.rate(Double(result.byteCount) / result.firstSeconds / 1e6)) MB/s"),
            ])
        try session.finish(Report(json: json, text: text, next: nil))
    }

    /// - Throws: `PipelineError` with code `unfitInput` for a file without texts.
    private static func texts(_ path: String) throws -> [TokenizerBenchmark.Text] {
        let source = try InputPairs(path, .exact)
        var texts: [TokenizerBenchmark.Text] = []
        while let (text, pair) = try source.next() { texts.append(.init(text, pair)) }
        guard !texts.isEmpty else {
            throw PipelineError(.unfitInput, "\(path) has no texts", advice: "Give a file of one text a line, or leave out --input.")
        }
        return texts
    }
}
