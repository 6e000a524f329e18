import Foundation
import Models
import Optimizers
import Tensors

/// Times an optimizer's update alone: the gradient is given, and putting it there is not counted.
public struct OptimizerBenchmark: Sendable {
    public var shape: BenchmarkShape
    public var recipe: String
    public var updates = 10
    public var threads: Int

    /// The rules that can be timed so: those on a schedule. What a line search costs is the losses that it asks for.
    public static let recipes = Catalogue.rows.filter { row in
        (try? row.resolve([:]))?.triesSteps == false
    }.map(\.name)

    public init(_ shape: BenchmarkShape, recipe: String, threads: Int) {
        (self.shape, self.recipe, self.threads) = (shape, recipe, threads)
    }

    public struct Result: Sendable {
        public let weights: Int
        /// Without the first, which warms up.
        public let updateSeconds: [Double]
        /// Read and written at least in an update; see `bytesPerWeight(_:)`.
        public let bytesPerWeight: Int
        /// Bytes a second, read and written, of copies.
        public let copyCeiling: Double

        public var medianSeconds: Double { median(updateSeconds) }
        public var bytesPerSecond: Double { Double(weights * bytesPerWeight) / medianSeconds }
    }

    /// - Throws: `OptimizerError` for a name that the catalogue does not have.
    public func run() throws -> Result {
        precondition(updates >= 1)
        let model = BenchmarkModel(shape), backend = CPUBackend(threads: threads)
        let layout = SequenceModel<CPUBackend>.layout(model.configuration, model.head)
        let recipe = try Catalogue.row(named: self.recipe).resolve(["schedule": "constant", "warmup": 0])
        precondition(!recipe.triesSteps, "a search is not timed without its objective")
        let optimizer = try recipe.makeOptimizer(layout: layout, steps: updates + 1) { backend.parallel($0, $1) }
        let objective = GivenGradient(try model.weights(layout))
        let clock = ContinuousClock()
        var seconds: [Double] = []
        for update in 0...updates {
            let started = clock.now
            _ = try optimizer.step(objective)
            if update > 0 { seconds.append(Trainer.seconds(clock.now - started) - objective.seconds) }
        }
        return Result(weights: layout.entries.reduce(0) { $0 + $1.count }, updateSeconds: seconds,
                      bytesPerWeight: Self.bytesPerWeight(recipe), copyCeiling: backend.copyCeiling())
    }

    /// Bytes that an update moves at least for each weight, all float32.
    ///
    /// The gradient's norm is needed before anything else: 4 read. The last pass reads the direction and reads and writes the
    /// weight: 12. Each moment is read and written: 8. A transformation that needs norms in the middle of the chain costs a pass of
    /// its own, in which the direction is read and written: 8. Norms of the weights: 4 read.
    static func bytesPerWeight(_ recipe: OptimizerRecipe) -> Int {
        recipe.transformations.enumerated().reduce(16 + 8 * recipe.momentCount) { sum, part in
            sum + (part.offset > 0 && !part.element.measures.isEmpty ? 8 : 0) + (part.element.measures.contains(.weights) ? 4 : 0)
        }
    }
}

/// The same gradient in every step, small and random; and how long it took to put it there.
private final class GivenGradient: Objective {
    let parameters: Parameters
    private let gradient: Parameters
    private(set) var seconds = 0.0

    init(_ parameters: Parameters) {
        self.parameters = parameters
        // As the weights lie: every tensor has numbers of its own.
        gradient = parameters.copy()
    }

    func loss() -> Double { 1 }

    func lossAndGradient(into target: Parameters) -> Double {
        let clock = ContinuousClock(), started = clock.now
        target.assign(from: gradient)
        seconds = Trainer.seconds(clock.now - started)
        return 1
    }
}
