import ArgumentParser
import Pipeline
import Store
import Tensors

struct BenchOptimizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "optimizer",
        abstract: "Times an optimizer's update alone, the gradient given, against the rate of copies in memory.",
        discussion: """
            All weights of a shape, random; also the rows that adapt leaves alone while no batch looks them up. Bytes are those that an update reads and writes at least: the gradient for its norm, \
            direction, weights and each moment in the pass that moves, and what norms in between cost. \
            The first update warms up and is not counted.

              pipeline bench optimizer --shape minilm-l6 --recipe lamb
            """)

    @Option(help: ArgumentHelp("bert-base, minilm-l6 or roberta-large.", valueName: "name"))
    var shape = BenchmarkShape.bertBase

    @Option(help: ArgumentHelp("\(OptimizerBenchmark.recipes.joined(separator: ", ")).", valueName: "name"))
    var recipe = "adamw"

    @Option(help: ArgumentHelp("Updates to time.", valueName: "count"))
    var updates = 10

    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard OptimizerBenchmark.recipes.contains(recipe) else {
            throw ValidationError(
                "--recipe takes an optimizer alone, one of \(OptimizerBenchmark.recipes.joined(separator: ", ")), not '\(recipe)'. A line search "
                    + "costs the losses that it asks for, and noise the passes of its ascent.")
        }
        try BenchOptions.check("--updates", updates, 1...100_000)
    }

    func run() throws {
        var benchmark = OptimizerBenchmark(shape, recipe: recipe, threads: options.threadCount)
        benchmark.updates = updates
        let result = try benchmark.run()
        let seconds = result.medianSeconds, share = result.bytesPerSecond / result.copyCeiling
        let json: JSONValue = [
            "shape": .string(shape.name), "recipe": .string(recipe), "threads": .integer(Int64(benchmark.threads)),
            "weights": .integer(Int64(result.weights)), "update_s": .number(seconds),
            "update_seconds": .array(result.updateSeconds.map { .number($0) }),
            "weights_per_s": .number(Double(result.weights) / seconds), "bytes_per_weight": .integer(Int64(result.bytesPerWeight)),
            "GB_per_s": .number(result.bytesPerSecond / 1e9), "copy_GB_per_s": .number(result.copyCeiling / 1e9),
            "share_of_ceiling": .number(share),
        ]
        try options.finish(
            json,
            text: "\(recipe), \(shape.name), \(NumberText.count(result.weights)) weights, \(NumberText.threads(benchmark.threads))\n"
                + TextTable.facts([
                    ("update", "\(NumberText.rate(seconds * 1000)) ms, best \(NumberText.rate((result.updateSeconds.min() ?? seconds) * 1000)) ms"),
                    ("rate", "\(NumberText.rate(Double(result.weights) / seconds / 1e6)) million weights/s"),
                    ("memory", "\(NumberText.rate(result.bytesPerSecond / 1e9)) GB/s by \(result.bytesPerWeight) bytes a weight, "
                        + "\(NumberText.fixed(100 * share, 0)) % of the \(NumberText.rate(result.copyCeiling / 1e9)) GB/s of copies"),
                ]))
    }
}
