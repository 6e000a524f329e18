/// One step as a `LineSearch` sees it: the loss and its gradient are known, the weights have not moved yet.
public struct Descent {
    public let objective: any Objective
    /// Updates done before this one.
    public let step: Int
    /// Loss at the present weights.
    public let loss: Double
    /// ‖g‖₂ over the trained tensors, before any clipping.
    public let gradientNorm: Double

    let prepared: TrialSteps?
    let apply: (Double) -> Void

    /// Runs the chain and moves the weights in the same pass: x ← (1 − η·wd)·x − η·u. Moments advance with it.
    ///
    /// Takes the learning rate η of the whole network; each tensor's own multiplier comes on top. Called once a step,
    /// by a search that does not use `trials`.
    public func take(_ learningRate: Double) {
        precondition(learningRate.isFinite, "a step of \(learningRate)")
        apply(learningRate)
    }

    /// Steps that can be taken back. Only for a search with a `partition`.
    public var trials: TrialSteps {
        guard let prepared else { preconditionFailure("a search that tries steps has a partition") }
        return prepared
    }
}
