import ArgumentParser
import Pipeline
import Store
import Tensors

struct BenchKernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Times every kernel of the embeddings and one encoder layer, against the machine's ceilings.",
        discussion: """
            Forward and backward passes as in training, on random weights and a dense batch; the median of the rounds counts. \
            The product up ends with the activation, the input gradient of down with the activation's backward. \
            Products stand against the rate of their register kernels in the first-level cache; all other kernels against that of \
            copies in memory, by the bytes that they read and write at least: each array once, of a table each row once that is \
            named. Data that a cache holds can be faster than copies.

              pipeline bench kernels --shape minilm-l6 --precision bf16
            """)

    @Option(help: ArgumentHelp("bert-base, minilm-l6 or roberta-large.", valueName: "name"))
    var shape = BenchmarkShape.bertBase

    @Option(help: ArgumentHelp("Number format of matrix products: fp32 or bf16. The faster one here unless given.", valueName: "format"))
    var precision: Precision?

    @Option(help: ArgumentHelp("Tokens in the batch, about.", valueName: "count"))
    var tokens = 4096

    @Option(help: ArgumentHelp("Tokens in each sequence.", valueName: "count"))
    var length = 128

    @Option(help: ArgumentHelp("Rounds to time.", valueName: "count"))
    var rounds = 7

    @OptionGroup var options: BenchOptions

    func validate() throws {
        try BenchOptions.check("--length", length, 2...512)
        try BenchOptions.check("--tokens", tokens, length...1 << 20)
        try BenchOptions.check("--rounds", rounds, 1...1000)
    }

    func run() throws {
        var benchmark = KernelBenchmark(shape, threads: options.threadCount)
        (benchmark.tokens, benchmark.length, benchmark.rounds) = (tokens, length, rounds)
        if let precision { benchmark.precision = precision }
        let result = try benchmark.run()
        let json: JSONValue = [
            "shape": .string(shape.name), "precision": .string(benchmark.precision.rawValue), "batch": .integer(Int64(result.batch)),
            "length": .integer(Int64(length)), "rounds": .integer(Int64(rounds)), "threads": .integer(Int64(benchmark.threads)),
            "numeric_path": .string(result.numericPath), "ceiling_gflops": .number(result.productCeiling / 1e9),
            "copy_GB_per_s": .number(result.copyCeiling / 1e9),
            "kernels": .array(result.kernels.map { kernel in
                [
                    "name": .string(kernel.name), "calls": .integer(Int64(kernel.calls)), "seconds": .number(kernel.seconds),
                    "bytes": kernel.bytes.map { .integer(Int64($0)) } ?? .null,
                    "gflops": kernel.bytes == nil ? .number(kernel.rate / 1e9) : .null,
                    "GB_per_s": kernel.bytes == nil ? .null : .number(kernel.rate / 1e9),
                    "share_of_ceiling": .number(result.shareOfCeiling(kernel)),
                ]
            }),
        ]
        var table = TextTable([.left, .right, .right, .right, .right, .right, .right])
        table.add("kernel", "calls", "ms", "GFLOP/s", "MB", "GB/s", "of ceiling")
        for kernel in result.kernels {
            let rate = NumberText.rate(kernel.rate / 1e9)
            table.add(
                kernel.name, "\(kernel.calls)", NumberText.fixed(1000 * kernel.seconds, 3), kernel.bytes == nil ? rate : "",
                kernel.bytes.map { NumberText.rate(Double($0) / 1e6) } ?? "", kernel.bytes == nil ? "" : rate,
                NumberText.fixed(100 * result.shareOfCeiling(kernel), 0) + " %")
        }
        try options.finish(
            json,
            text: "one layer, \(shape.name), \(result.batch) × \(length) tokens, \(result.numericPath), \(NumberText.threads(benchmark.threads))\n"
                + TextTable.facts([
                    ("ceiling of products", NumberText.rate(result.productCeiling / 1e9) + " GFLOP/s"),
                    ("ceiling of memory", NumberText.rate(result.copyCeiling / 1e9) + " GB/s read and written by copies"),
                ]) + "\n" + table.text)
    }
}
