/// Chooses how far to go along a direction. A learning-rate schedule is the trivial search.
public protocol LineSearch: Hyperparameterized {
    /// The numbers that the search carries from step to step, at their starting values.
    var scalars: [StateScalar] { get }

    /// Chooses a step size, moves the weights with `descent.take`, and returns what was chosen.
    ///
    /// An error leaves weights and state as they were before the step.
    func advance(_ descent: Descent, scalars: inout [StateScalar]) throws -> SearchReport
}

extension LineSearch {
    public var scalars: [StateScalar] { [] }
}

/// What a search did in one step.
public struct SearchReport: Sendable, Hashable {
    /// The step size η that was applied.
    public let learningRate: Double

    public init(learningRate: Double) { self.learningRate = learningRate }
}

/// One step as a `LineSearch` sees it: the loss and its gradient are known, the weights have not moved yet.
public struct Descent {
    public let objective: any Objective
    /// Updates done before this one.
    public let step: Int
    /// Loss at the present weights.
    public let loss: Double
    /// ‖g‖₂ over the trained tensors, before any clipping.
    public let gradientNorm: Double

    let apply: (Double) -> Void

    /// Runs the chain and moves the weights in the same pass: x ← (1 − η·wd)·x − η·u. Moments advance with it.
    ///
    /// Takes the learning rate η of the whole network; each tensor's own multiplier comes on top. Called once a step.
    public func take(_ learningRate: Double) {
        precondition(learningRate.isFinite, "a step of \(learningRate)")
        apply(learningRate)
    }
}
