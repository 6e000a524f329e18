import ArgumentParser
import Pipeline
import Store
import Tensors

struct BenchLengthsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lengths",
        abstract: "Times training steps and inference against the sequences' length and the batch's size.",
        discussion: """
            Random weights and dense batches: first sequences of several lengths at about the same number of tokens, then batches of \
            several sizes of sequences of \(LengthBenchmark.batchLength) tokens. Training is the step that adapt runs, inference the \
            logits that eval computes. The first step of each warms up and is not counted.

              pipeline bench lengths --shape minilm-l6
            """)

    @Option(help: ArgumentHelp("bert-base, minilm-l6 or roberta-large.", valueName: "name"))
    var shape = BenchmarkShape.miniLM

    @Option(help: ArgumentHelp("Number format of matrix products: fp32 or bf16. The faster one here unless given.", valueName: "format"))
    var precision: Precision?

    @Option(help: ArgumentHelp("Tokens in a batch of each length, about.", valueName: "count"))
    var tokens = 4096

    @Option(help: ArgumentHelp("Lengths in tokens.", valueName: "numbers"))
    var lengths = NumberList([8, 16, 32, 64, 128, 256, 512])

    @Option(help: ArgumentHelp("Sizes of batches in tokens.", valueName: "numbers"))
    var batches = NumberList([512, 1024, 2048, 4096, 8192, 16384])

    @Option(help: ArgumentHelp("Steps to time at each point.", valueName: "count"))
    var steps = 3

    @OptionGroup var options: BenchOptions

    func validate() throws {
        try BenchOptions.check("--tokens", tokens, 1...1 << 20)
        for length in lengths.values { try BenchOptions.check("--lengths", length, 1...512) }
        for batch in batches.values { try BenchOptions.check("--batches", batch, LengthBenchmark.batchLength...1 << 20) }
        try BenchOptions.check("--steps", steps, 1...1000)
    }

    func run() throws {
        var benchmark = LengthBenchmark(shape, threads: options.threadCount)
        (benchmark.tokens, benchmark.lengths, benchmark.batches, benchmark.steps) = (tokens, lengths.values, batches.values, steps)
        if let precision { benchmark.precision = precision }
        let result = try benchmark.run()
        func rates(_ point: LengthBenchmark.Point) -> [String: JSONValue] {
            [
                "batch": .integer(Int64(point.batch)), "length": .integer(Int64(point.length)),
                "tokens": .integer(Int64(point.tokens)), "training_s": .number(point.trainingSeconds),
                "training_tokens_per_s": .number(Double(point.tokens) / point.trainingSeconds),
            ]
        }
        let json: JSONValue = [
            "shape": .string(shape.name), "precision": .string(benchmark.precision.rawValue), "steps": .integer(Int64(steps)),
            "threads": .integer(Int64(benchmark.threads)), "numeric_path": .string(result.numericPath),
            "lengths": .array(result.lengths.map { point in
                let seconds = point.inferenceSeconds ?? 0
                return .object(rates(point).merging([
                    "inference_s": .number(seconds), "inference_tokens_per_s": .number(Double(point.tokens) / seconds),
                ]) { $1 })
            }),
            "batches": .array(result.batches.map { .object(rates($0)) }),
        ]
        var lengths = TextTable([.right, .right, .right, .right, .right])
        lengths.add("length", "sequences", "ms a step", "training tokens/s", "inference tokens/s")
        for point in result.lengths {
            lengths.add(
                "\(point.length)", "\(point.batch)", NumberText.fixed(1000 * point.trainingSeconds, 1),
                NumberText.rate(Double(point.tokens) / point.trainingSeconds),
                NumberText.rate(Double(point.tokens) / (point.inferenceSeconds ?? .nan)))
        }
        var batches = TextTable([.right, .right, .right, .right, .right])
        batches.add("batch tokens", "sequences", "ms a step", "training tokens/s", "µs a token")
        for point in result.batches {
            batches.add(
                NumberText.count(point.tokens), "\(point.batch)", NumberText.fixed(1000 * point.trainingSeconds, 1),
                NumberText.rate(Double(point.tokens) / point.trainingSeconds),
                NumberText.rate(1e6 * point.trainingSeconds / Double(point.tokens)))
        }
        try options.finish(
            json,
            text: "\(shape.name), \(result.numericPath), \(NumberText.threads(benchmark.threads))\n\n" + lengths.text
                + "\n  sequences of \(LengthBenchmark.batchLength) tokens\n" + batches.text)
    }
}
