import Tensors

/// What one token of a batch costs in a step, before anything is run: tokens through the whole encoder each way.
///
/// `PassCounts` counts the same where it is done.
public struct ExpectedPasses: Hashable, Sendable {
    public var forward: Double
    public var inputGradient: Double
    public var weightGradient: Double

    public init(forward: Double, inputGradient: Double, weightGradient: Double) {
        (self.forward, self.inputGradient, self.weightGradient) = (forward, inputGradient, weightGradient)
    }

    /// One way forward, and back to inputs and weights.
    public static let plain = Self(forward: 1, inputGradient: 1, weightGradient: 1)

    /// A plain step that leaves units as they are: it goes back as far as the lowest trained one.
    public static func plain(blocks: Int, frozen: Set<ParameterUnit>) -> Self {
        let units = [.embeddings] + (0..<blocks).map(ParameterUnit.block), lowest = units.first { !frozen.contains($0) } ?? .head
        let reached = (0..<blocks).filter { lowest <= .block($0) }, trained = reached.filter { !frozen.contains(.block($0)) }
        return Self(forward: 1, inputGradient: Double(reached.count) / Double(blocks), weightGradient: Double(trained.count) / Double(blocks))
    }

    /// In units of a plain step.
    public var plainSteps: Double { (forward + inputGradient + weightGradient) / 3 }

    public static func + (a: Self, b: Self) -> Self {
        Self(forward: a.forward + b.forward, inputGradient: a.inputGradient + b.inputGradient,
             weightGradient: a.weightGradient + b.weightGradient)
    }

    public static func * (factor: Double, a: Self) -> Self {
        Self(forward: factor * a.forward, inputGradient: factor * a.inputGradient, weightGradient: factor * a.weightGradient)
    }
}

extension AdversarialSettings {
    /// Of a step with noise. The plain step's where noise is off.
    ///
    /// - Parameter plain: what a step without noise costs.
    public func stepPasses(_ plain: ExpectedPasses = .plain) -> ExpectedPasses {
        if isPlain { return plain }
        let T = Double(noise.ascentSteps), share = noise.share
        // Only the examples with noise climb. Backward passes of an ascent give weights no gradient, but for FreeLB.
        let ascents = ExpectedPasses(forward: T * share, inputGradient: T * share, weightGradient: 0)
        return switch method {
        case .label: plain + ascents
        case .average: plain + T * ExpectedPasses(forward: 1, inputGradient: 1, weightGradient: plain.weightGradient)
        case .divergence: plain + ascents + share * plain
        }
    }

    /// Forward passes for the loss alone, at noise that a step has left.
    public var lossPasses: Double {
        if isPlain { return 1 }
        return switch method {
        case .label: 1
        case .average: Double(noise.ascentSteps + 1)
        case .divergence: 1 + noise.share
        }
    }

    /// Share of the steps that have noise.
    ///
    /// - Parameter steps: updates of the run; nil where they are not known, which leaves out rounding.
    public func activeShare(steps: Int?) -> Double {
        if isPlain { return 0 }
        guard let steps, steps > 0 else { return (1 - delay) / Double(noise.interval) }
        return Double((0..<steps).count { isActive(step: $0, of: steps) }) / Double(steps)
    }
}
