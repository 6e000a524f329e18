/// Chooses how far to go along a direction. A learning-rate schedule is the trivial search.
public protocol LineSearch: Hyperparameterized {
    /// How a search that tries steps sees the network; nil for one that never tries, which costs no memory.
    var partition: UnitPartition? { get }

    /// Forward passes that its trials take; nil for a search without trials.
    ///
    /// - Parameter units: units that `partition` makes of the network; nil where that is not known.
    func expectedTrials(units: Int?) -> ExpectedTrials?

    /// The numbers that the search carries from step to step, at their starting values.
    ///
    /// - Parameter units: units that `partition` makes of the network at hand; 1 without a partition.
    func scalars(units: Int) -> [StateScalar]

    /// The same for a search that does not depend on the number of units.
    var scalars: [StateScalar] { get }

    /// Chooses a step size, moves the weights, and returns what was chosen.
    ///
    /// The weights are moved with `descent.take`, or tried and settled with `descent.trials`. An error leaves weights
    /// and state as they were before the step.
    func advance(_ descent: Descent, scalars: inout [StateScalar]) throws -> SearchReport
}

extension LineSearch {
    public func expectedTrials(units: Int?) -> ExpectedTrials? { nil }
    public var partition: UnitPartition? { nil }
    public var scalars: [StateScalar] { [] }
    public func scalars(units: Int) -> [StateScalar] { scalars }
}

/// What a search did in one step.
public struct SearchReport: Sendable, Hashable {
    /// The step size η that was applied; 0 where the step was skipped.
    public let learningRate: Double
    /// Of a search that tries steps; nil for a schedule.
    public let trials: TrialReport?

    public init(learningRate: Double, trials: TrialReport? = nil) {
        self.learningRate = learningRate
        self.trials = trials
    }
}

/// What a search that tries steps found in one of them.
public struct TrialReport: Sendable, Hashable {
    /// η of each unit as the next step starts from it.
    public var stepSizes: [Double] = []
    /// The unit that was searched, by the first of its group; nil when all moved as one, when every unit was searched, and
    /// when there was no search.
    public var unit: Int?
    /// Whether there was a search: one that rests between searches takes steps without a trial.
    public var isSearched = true
    /// Forward passes of this step beyond the one that gave the gradient.
    public var forwardPasses = 0
    /// Trials that were not accepted.
    public var backtracks = 0
    /// −gᵀd of what was searched, the searched unit alone where it was one: the rate at which the loss falls along its direction at η = 0.
    public var slope = 0.0
    /// f(w) − f(w + η·d) of the accepted trial, or, when every unit is searched or the whole move is, of the whole move; nil without one.
    public var decrease: Double?
    /// Nothing was accepted: the weights are those before the step, bit for bit.
    public var isRejected = false
    /// The direction did not descend, and the preconditioned gradient took its place for at least one unit.
    public var isFallback = false
    /// Loss on the same batch after the move of units that were tried one at a time, before weight decay; nil where all were tried as one,
    /// and with momentum after acceptance.
    public var lossAfter: Double?
    /// Whether that loss is above the one before the step.
    public var isIncrease = false
    /// What was merged after the step, of searches of units one at a time.
    public var merge: UnitMerge?

    public init() {}
}
