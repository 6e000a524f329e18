import ArgumentParser
import Foundation
import Pipeline
import Store
import Tensors

struct BenchStepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step",
        abstract: "Times the training step that adapt runs, on one dense batch.",
        discussion: """
            Forward, backward, dropout, clipping and AdamW. The first step warms up and is not counted. Weights and batch are random, or \
            those of a Hugging Face model folder, with its batch.json if it is there: {"input_ids": [[…], …], "labels": […]}, \
            sequences of one length.

              pipeline bench step --shape minilm-l6 --json
              pipeline bench step --weights dumped-model --dropout 0 --precision fp32
            """)

    @Option(help: ArgumentHelp("bert-base, minilm-l6 or roberta-large. The first one unless given.", valueName: "name"))
    var shape: BenchmarkShape?

    @Option(help: ArgumentHelp("A model folder whose weights are trained, in place of a shape.", valueName: "folder"))
    var weights: String?

    @Option(help: ArgumentHelp("Number format of matrix products: fp32 or bf16. The faster one here unless given.", valueName: "format"))
    var precision: Precision?

    @Option(help: ArgumentHelp("Rate of all dropout.", valueName: "rate"))
    var dropout: Float = 0.1

    @Option(help: ArgumentHelp("Sequences in the batch. 32 unless given.", valueName: "count"))
    var batch: Int?

    @Option(help: ArgumentHelp("Tokens in each sequence. 128 unless given.", valueName: "count"))
    var length: Int?

    @Option(help: ArgumentHelp("Steps to time.", valueName: "count"))
    var steps = 8

    @Option(help: ArgumentHelp("Tokens in memory at a time.", valueName: "count"))
    var microBatchTokens = 2048

    @OptionGroup var options: BenchOptions

    func validate() throws {
        if let batch { try BenchOptions.check("--batch", batch, 1...100_000) }
        if let length { try BenchOptions.check("--length", length, 1...512) }
        try BenchOptions.check("--steps", steps, 1...100_000)
        try BenchOptions.check("--micro-batch-tokens", microBatchTokens, 1...1 << 30)
        guard dropout >= 0, dropout < 1 else { throw ValidationError("--dropout takes a rate of at least 0 and below 1, not \(dropout).") }
        guard let folder else { return }
        if shape != nil { throw ValidationError("--weights brings its own shape; leave out --shape, or --weights.") }
        let file = folder.appendingPathComponent(StepBenchmark.batchFile).path
        if batch != nil || length != nil, FileManager.default.fileExists(atPath: file) {
            throw ValidationError("\(file) is the batch; leave out --batch and --length, or move the file away.")
        }
    }

    private var folder: URL? { weights.map { URL(fileURLWithPath: $0, isDirectory: true) } }

    func run() throws {
        let shape = shape ?? .bertBase
        var benchmark = StepBenchmark(folder.map { .folder($0) } ?? .shape(shape), threads: options.threadCount)
        if let batch { benchmark.batch = batch }
        if let length { benchmark.length = length }
        (benchmark.steps, benchmark.microBatchTokens, benchmark.dropout) = (steps, microBatchTokens, dropout)
        if let precision { benchmark.precision = precision }
        let result = try benchmark.run()
        let median = result.medianSeconds
        let best = result.stepSeconds.min() ?? median
        let examples = Double(result.batch) / median
        let tokens = Double(result.tokensPerStep) / median
        let speed = result.floatingPointOperations / median / 1e9
        let losses = result.losses
        let report: JSONValue = [
            "engine": "pipeline", "shape": weights == nil ? .string(shape.name) : .null,
            "weights": weights.map { .string($0) } ?? .null, "precision": .string(benchmark.precision.rawValue),
            "dropout": .number(Double(dropout.description) ?? 0), "batch": .integer(Int64(result.batch)),
            "length": .integer(Int64(result.length)), "threads": .integer(Int64(benchmark.threads)),
            "numeric_path": .string(result.numericPath),
            "step_s": .number(median), "best_s": .number(best),
            "step_seconds": .array(result.stepSeconds.map { .number($0) }),
            "examples_per_s": .number(examples), "tokens_per_s": .number(tokens), "gflops": .number(speed),
            "peak_MiB": .integer(Int64(Self.peakMebibytes)), "loss": .number(losses[losses.count - 1]),
            "losses": .array(losses.map { .number($0) }),
            "ceiling_gflops": .number(result.ceiling / 1e9), "share_of_ceiling": .number(speed * 1e9 / result.ceiling),
            "accounted_share": .number(result.accountedShare),
            "phases": .array(Phase.allCases.map { phase in
                [
                    "name": .string(phase.rawValue), "seconds": .number(result.phases[phase] / Double(steps)),
                    "share_of_ceiling": result.shareOfCeiling(phase).map { .number($0) } ?? .null,
                ]
            }),
        ]
        try options.finish(
            report,
            text: "training step, \(weights ?? shape.name), \(result.batch) × \(result.length) tokens\n"
                + TextTable.facts([
                    ("step", "\(NumberText.rate(median * 1000)) ms, best \(NumberText.rate(best * 1000)) ms"),
                    ("rate", "\(NumberText.rate(examples)) examples/s, \(NumberText.rate(tokens)) tokens/s"),
                    ("arithmetic", "\(NumberText.rate(speed)) GFLOP/s, "
                        + "\(NumberText.fixed(100 * speed * 1e9 / result.ceiling, 0)) % of the products' ceiling of "
                        + "\(NumberText.rate(result.ceiling / 1e9)) GFLOP/s"), ("peak memory", "\(Self.peakMebibytes) MiB"),
                    ("loss", "\(NumberText.fixed(losses[0], 4)), after \(steps) updates \(NumberText.fixed(losses[steps], 4))"),
                    ("computed by", "\(result.numericPath), \(NumberText.threads(benchmark.threads))"),
                ]) + "\n" + Self.phaseTable(result))
    }

    /// Phases by falling time; what no phase accounts for comes last.
    private static func phaseTable(_ result: StepBenchmark.Result) -> String {
        var table = TextTable([.left, .right, .right, .right])
        table.add("phase", "ms a step", "share", "of ceiling")
        let total = result.stepSeconds.reduce(0, +), steps = Double(result.stepSeconds.count)
        func add(_ name: String, _ seconds: Double, _ share: Double?) {
            table.add(name, NumberText.fixed(1000 * seconds / steps, 1), NumberText.fixed(100 * seconds / total, 1) + " %",
                      share.map { NumberText.fixed(100 * $0, 0) + " %" } ?? "")
        }
        for phase in Phase.allCases.sorted(by: { result.phases[$0] > result.phases[$1] }) where result.phases[phase] > 0 {
            add(phase.rawValue, result.phases[phase], result.shareOfCeiling(phase))
        }
        add("other", max(0, total - result.phases.total), nil)
        return table.text
    }

    /// Peak resident memory of this process.
    private static var peakMebibytes: Int {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        return usage.ru_maxrss / 1024
    }
}
