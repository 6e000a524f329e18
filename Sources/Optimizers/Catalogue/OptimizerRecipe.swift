import Tensors

/// An optimizer with all its constants, ready to be built for a model and a number of steps.
public struct OptimizerRecipe: Sendable {
    let row: CatalogueRow
    /// How the step size is found.
    public let searchKind: SearchKind
    let constants: RecipeConstants

    public var name: String { row.name }

    /// What the name stands for, in a line.
    public var summary: String { row.summary }

    /// Every constant by its key, in canonical form: equal recipes have equal values. The run key takes these.
    public var values: [String: HyperparameterValue] { constants.values }

    /// Whether the search evaluates the loss at weights that it may not keep.
    public var triesSteps: Bool { searchKind != .schedule }

    /// Moments that the optimizer keeps, each as large as the trained weights.
    public var momentCount: Int { transformations.reduce(0) { $0 + $1.moments.count } }

    /// The chain, in order.
    public var transformations: [any GradientTransformation] { row.compose(constants) }

    /// The learning rate over a run of `steps` updates of `batch` examples, or the search in its place.
    ///
    /// - Parameters:
    ///   - batch: needed where the recipe names a `reference_batch`; all rates of the schedule are scaled.
    ///   - epochSteps: updates of an epoch, the default growth period of a search; without it the run counts as one.
    ///   - seed: decides the random choices of a search.
    public func search(steps: Int, batch: Int? = nil, epochSteps: Int? = nil, seed: UInt64 = 0) -> any LineSearch {
        guard searchKind == .schedule else {
            return constants.search(searchKind, epochSteps: epochSteps ?? steps, seed: seed)
        }
        let factor = rateFactor(batch: batch)
        let warmup: Warmup
        switch constants.values["warmup"] {
        case .integer(let count): warmup = .steps(count)
        case .real(let share): warmup = .share(share)
        default: preconditionFailure("warmup is resolved")
        }
        let shape: Schedule.Shape
        switch constants.values["schedule"] {
        case "constant": shape = .constant
        case "linear": shape = .linear
        case "cosine": shape = .cosine
        case "polynomial": shape = .polynomial(power: constants["schedule_power"], end: constants["schedule_end"] * factor)
        case "inverse_sqrt": shape = .inverseSquareRoot
        default: preconditionFailure("schedule is resolved")
        }
        let learningRate = min(constants["learning_rate"] * factor, .greatestFiniteMagnitude)
        return ScheduledRate(learningRate, schedule: Schedule(shape, steps: steps, warmup: warmup))
    }

    /// Learning rates and frozen units for a model.
    ///
    /// - Throws: `OptimizerError.invalidValue` when `freeze` names a block that the model does not have.
    public func rates(for layout: ParameterLayout) throws -> UnitRates {
        let frozen = RecipeKey.units(of: constants.values["freeze"] ?? []) ?? []
        let blocks = UnitRates.blocks(in: layout)
        for case .block(let index) in frozen.sorted() where index >= blocks {
            throw OptimizerError.invalidValue(
                key: "freeze", found: "block \(index)", expected: "blocks 0 to \(blocks - 1), which the model has")
        }
        return UnitRates(layerDecay: constants["layer_decay"], frozen: frozen)
    }

    /// Builds the optimizer with all its state at the start.
    ///
    /// - Parameters:
    ///   - steps: updates of the whole run, which the schedule is laid over.
    ///   - batch: examples an update, needed where the recipe names a `reference_batch`.
    ///   - epochSteps: updates of an epoch, for a search; without it the run counts as one.
    ///   - seed: decides the random choices of a search.
    ///   - dormant: rows whose gradient is zero in every step, see `Optimizer`.
    /// - Throws: `OptimizerError` when `freeze` does not fit the model or leaves nothing to train.
    public func makeOptimizer(
        layout: ParameterLayout, steps: Int, batch: Int? = nil, epochSteps: Int? = nil, seed: UInt64 = 0,
        dormant: DormantRows? = nil, parallel: @escaping Parallel = serially
    ) throws -> Optimizer {
        try Optimizer(
            transformations, search: search(steps: steps, batch: batch, epochSteps: epochSteps, seed: seed), layout: layout,
            rates: try rates(for: layout), dormant: dormant, parallel: parallel)
    }
}
