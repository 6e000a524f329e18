import Tensors

/// Loss, and loss with gradient, as a function of `Parameters` for the current batch.
///
/// The batch and its random masks stay fixed until the owner moves on, so that every evaluation of one step,
/// forward-only trials of a line search included, sees the same function. Decorations (noise, data parallelism)
/// are objectives around an objective.
public protocol Objective: AnyObject {
    /// The weights that both functions read and that an optimizer changes in place.
    var parameters: Parameters { get }

    /// Mean loss over the batch at the present weights, forward only.
    func loss() throws -> Double

    /// Mean loss over the batch, and its derivative by every parameter.
    ///
    /// Overwrites `gradient`, which has the layout of `parameters`; the gaps between tensors stay zero.
    func lossAndGradient(into gradient: Parameters) throws -> Double

    /// That derivative alone, for those that do not need the loss: it may cost less.
    func gradient(into gradient: Parameters) throws
}

extension Objective {
    public func gradient(into gradient: Parameters) throws { _ = try lossAndGradient(into: gradient) }
}
