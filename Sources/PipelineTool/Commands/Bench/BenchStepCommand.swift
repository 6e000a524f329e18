import ArgumentParser
import Foundation
import Pipeline
import Store
import Tensors

struct BenchStepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step",
        abstract: "Times the training step that adapt runs, on random weights and one dense batch.",
        discussion: """
            Forward, backward, dropout, clipping and AdamW. The first step warms up and is not counted.

              pipeline bench step --shape minilm-l6 --json
            """)

    @Option(help: ArgumentHelp("bert-base, minilm-l6 or roberta-large.", valueName: "name"))
    var shape = "bert-base"

    @Option(help: ArgumentHelp("Number format of matrix products: fp32 or bf16. The faster one here unless given.", valueName: "format"))
    var precision: Precision?

    @Option(help: ArgumentHelp("Sequences in the batch.", valueName: "count"))
    var batch = 32

    @Option(help: ArgumentHelp("Tokens in each sequence.", valueName: "count"))
    var length = 128

    @Option(help: ArgumentHelp("Steps to time.", valueName: "count"))
    var steps = 8

    @Option(help: ArgumentHelp("Tokens in memory at a time.", valueName: "count"))
    var microBatchTokens = 2048

    @Option(help: ArgumentHelp("Threads to compute on.", valueName: "count"))
    var threads: Int?

    @Flag(help: "Print one JSON object on standard output and nothing else there.")
    var json = false

    func validate() throws {
        try KernelLimit.check()
        let names = StepBenchmark.Shape.catalogue.map(\.name)
        guard names.contains(shape) else {
            throw ValidationError("--shape takes \(names.joined(separator: ", ")), not '\(shape)'.")
        }
        guard (1...100_000).contains(batch), (1...512).contains(length), (1...100_000).contains(steps),
            microBatchTokens > 0
        else {
            throw ValidationError(
                "--batch, --steps and --micro-batch-tokens take numbers from 1, --length from 1 to 512.")
        }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads takes a number from 1 to 1024, not \(threads).")
        }
    }

    func run() throws {
        guard let shape = StepBenchmark.Shape.catalogue.first(where: { $0.name == shape }) else { return }
        let threads = threads ?? CPUBackend.processorCount
        var benchmark = StepBenchmark(shape: shape, threads: threads)
        (benchmark.batch, benchmark.length, benchmark.steps) = (batch, length, steps)
        benchmark.microBatchTokens = microBatchTokens
        if let precision { benchmark.precision = precision }
        let result = try benchmark.run()
        let median = result.medianSeconds
        let best = result.stepSeconds.min() ?? median
        let examples = Double(batch) / median
        let tokens = Double(result.tokensPerStep) / median
        let speed = result.floatingPointOperations / median / 1e9
        let report: JSONValue = [
            "engine": "pipeline", "shape": .string(shape.name), "precision": .string(benchmark.precision.rawValue),
            "batch": .integer(Int64(batch)),
            "length": .integer(Int64(length)), "threads": .integer(Int64(threads)),
            "numeric_path": .string(result.numericPath),
            "step_s": .number(median), "best_s": .number(best),
            "step_seconds": .array(result.stepSeconds.map { .number($0) }),
            "examples_per_s": .number(examples), "tokens_per_s": .number(tokens), "gflops": .number(speed),
            "peak_MiB": .integer(Int64(Self.peakMebibytes)), "loss": .number(result.lastLoss),
            "ceiling_gflops": .number(result.ceiling / 1e9), "share_of_ceiling": .number(speed * 1e9 / result.ceiling),
            "accounted_share": .number(result.accountedShare),
            "phases": .array(Phase.allCases.map { phase in
                [
                    "name": .string(phase.rawValue), "seconds": .number(result.phases[phase] / Double(steps)),
                    "share_of_ceiling": result.shareOfCeiling(phase).map { .number($0) } ?? .null,
                ]
            }),
        ]
        if json { return try StandardOutput.write(report.canonicalText() + "\n") }
        try StandardOutput.write(
            "training step, \(shape.name), \(batch) × \(length) tokens\n"
                + TextTable.facts([
                    ("step", "\(NumberText.rate(median * 1000)) ms, best \(NumberText.rate(best * 1000)) ms"),
                    ("rate", "\(NumberText.rate(examples)) examples/s, \(NumberText.rate(tokens)) tokens/s"),
                    ("arithmetic", "\(NumberText.rate(speed)) GFLOP/s, "
                        + "\(NumberText.fixed(100 * speed * 1e9 / result.ceiling, 0)) % of the products' ceiling of "
                        + "\(NumberText.rate(result.ceiling / 1e9)) GFLOP/s"), ("peak memory", "\(Self.peakMebibytes) MiB"),
                    ("computed by", "\(result.numericPath), \(threads) threads"),
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
