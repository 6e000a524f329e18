import Tensors

/// Sharpness-aware minimisation (SAM): the gradient is taken where the loss is nearly worst within a small distance.
///
/// ```
/// g ← ∇f(x)        ∇ ← ∇f(x + ρ·g/‖g‖₂)        ‖g‖₂ over the trained tensors as one vector
/// ```
/// A decoration of any objective, for any optimizer. Both passes see the same batch and the same masks. The loss is that at x, also in
/// `loss()`. Where ‖g‖ is 0, not finite, or so small that ρ/‖g‖ is no float32, the gradient is the plain one. Frozen
/// units are not displaced.
///
/// Costs one more forward and backward pass a step, and one copy of the trained weights, made up front: from it the weights
/// come back bit for bit. An error during the second pass leaves them as they were.
///
/// Source: Foret et al., arXiv 2010.01412, without the second-order term and with the distance in the Euclidean norm.
public final class SharpnessAwareObjective: Objective {
    public let base: any Objective
    /// ρ, the distance of the displaced weights in the Euclidean norm.
    public let radius: Double

    private let plan: UpdatePlan
    private let saved: Parameters
    private let sums: UnsafeMutablePointer<Double>
    private let parallel: Parallel

    /// In plain text.
    public static func formula(radius: Double) -> [String] {
        ["g ← ∇f(x);  the gradient that is used is ∇f(x + \(radius)·g/‖g‖₂)        ‖g‖₂ over all trained tensors"]
    }

    /// - Parameter frozen: units that are not trained: not displaced, and their gradient counts in no norm.
    /// - Throws: `OptimizerError.nothingToTrain` when every tensor is frozen.
    public init(
        _ base: any Objective, radius: Double = 0.05, frozen: Set<ParameterUnit> = [],
        parallel: @escaping Parallel = serially
    ) throws {
        precondition(radius > 0 && radius.isFinite)
        plan = try UpdatePlan(layout: base.parameters.layout, rates: UnitRates(frozen: frozen))
        self.base = base
        self.radius = radius
        self.parallel = parallel
        saved = Parameters(layout: plan.momentLayout)
        sums = .allocate(capacity: 2 * plan.pieces.count)
        sums.initialize(repeating: 0, count: 2 * plan.pieces.count)
    }

    deinit { sums.deallocate() }

    public var parameters: Parameters { base.parameters }

    public func loss() throws -> Double { try base.loss() }

    public func lossAndGradient(into gradient: Parameters) throws -> Double {
        let loss = try base.lossAndGradient(into: gradient)
        let norm = pass(gradient) { $0.measure(.direction, after: [], sums: sums).directionNorm }
        guard norm.isFinite, Float(radius / norm).isFinite else { return loss }
        copyTrained { weights, saved, count in saved.update(from: weights, count: count) }
        defer { copyTrained { weights, saved, count in weights.update(from: saved, count: count) } }
        pass(gradient) { $0.move([], learningRate: -radius / norm, shrinkage: 0) }
        try base.gradient(into: gradient)
        return loss
    }

    private func pass<Result>(_ gradient: Parameters, _ body: (ChainPass) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>.self, capacity: 1) { noMoments in
            body(
                ChainPass(
                    plan: plan, weights: parameters.pointer, direction: gradient.pointer,
                    moments: UnsafePointer(noMoments.baseAddress!), parallel: parallel))
        }
    }

    /// Runs `copy` on every trained tensor: its weights, their place in the copy, its elements.
    private func copyTrained(
        _ copy: (_ weights: UnsafeMutablePointer<Float>, _ saved: UnsafeMutablePointer<Float>, _ count: Int) -> Void
    ) {
        parallel(plan.tensors.count) { tensor in
            let entry = plan.tensors[tensor].entry
            copy(
                parameters.pointer + entry.offset, saved.pointer + plan.momentLayout.entries[tensor].offset, entry.count)
        }
    }
}
