import Optimizers
import Tensors

/// An objective that keeps what an optimizer's step began with: weights and gradient, before anything moves.
final class TracedObjective: Objective {
    private let base: any Objective
    /// Of the last `lossAndGradient`.
    let weights: Parameters
    let gradient: Parameters

    init(_ base: any Objective) {
        self.base = base
        weights = base.parameters.copy()
        gradient = Parameters(layout: base.parameters.layout)
    }

    var parameters: Parameters { base.parameters }

    func loss() throws -> Double { try base.loss() }

    func lossAndGradient(into gradient: Parameters) throws -> Double {
        weights.assign(from: parameters)
        let loss = try base.lossAndGradient(into: gradient)
        self.gradient.assign(from: gradient)
        return loss
    }
}
