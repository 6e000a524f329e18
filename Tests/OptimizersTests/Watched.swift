import Tensors

@testable import Optimizers

/// Keeps the weights at which an objective was differentiated, and fails at one of the evaluations if told to.
final class Watched: Objective {
    struct Failure: Error {}

    private let base: any Objective
    private let failsAt: Int?
    private(set) var seen: [Parameters] = []

    init(_ base: any Objective, failsAt: Int? = nil) {
        self.base = base
        self.failsAt = failsAt
    }

    var parameters: Parameters { base.parameters }

    func loss() throws -> Double { try base.loss() }

    func lossAndGradient(into gradient: Parameters) throws -> Double {
        seen.append(parameters.copy())
        if seen.count == failsAt { throw Failure() }
        return try base.lossAndGradient(into: gradient)
    }
}
