/// Adds decay and gives every tensor a step in proportion to its own size: u ← r·(u + wd·x).
///
/// ```
/// r = c·q        q = ‖x‖₂/(‖u‖₂ + wd·‖x‖₂ + ε) per tensor
/// ```
/// Before `AccumulateMomentum` this is LARS: momentum averages what the ratio has scaled already, and the learning rate
/// multiplies it afterwards. At a constant rate that is the same as a rate inside the momentum.
///
/// Weight matrices and embeddings take part. Biases and LayerNorm have no decay and q = 1; so has a tensor whose ‖x‖
/// or ‖u‖ is 0, except that it keeps its decay. This is our choice. Other implementations have r = 1 in these cases,
/// which at c = 1e-3 makes such tensors step a thousand times as far.
///
/// Source: You, Gitman and Ginsburg, arXiv 1708.03888.
public struct ScaleByLARS: TrustRatioScaling {
    public static let name = "lars"

    /// c, the share of its own norm that a tensor moves at learning rate 1.
    public let trustCoefficient: Double
    public let weightDecay: Double
    public let epsilon: Double

    public init(trustCoefficient: Double = 1e-3, weightDecay: Double = 0, epsilon: Double = 1e-8) {
        precondition(trustCoefficient > 0 && weightDecay >= 0 && epsilon > 0)
        self.trustCoefficient = trustCoefficient
        self.weightDecay = weightDecay
        self.epsilon = epsilon
    }

    public var hyperparameters: [(key: String, value: HyperparameterValue)] {
        [
            ("trust_coefficient", .real(trustCoefficient)), ("weight_decay", .real(weightDecay)),
            ("epsilon", .real(epsilon)),
        ]
    }

    public var formula: [String] {
        [
            "u ← r·(u + wd·x)        r = c·‖x‖₂/(‖u‖₂ + wd·‖x‖₂ + ε) of each tensor",
            "c = \(trustCoefficient), wd = \(weightDecay), ε = \(epsilon); biases and LayerNorm: no decay, r = c",
        ]
    }

    public var exemptFactor: Double { trustCoefficient }

    public func ratio(weights: Double, direction: Double) -> Double {
        guard weights > 0, direction > 0 else { return trustCoefficient }
        let ratio = trustCoefficient * weights / (direction + weightDecay * weights + epsilon)
        return min(ratio, Double(Float.greatestFiniteMagnitude))
    }

    public var alwaysDescends: Bool { weightDecay == 0 }

    public func descendingOperation(for step: StepContext) -> ((Chunk) -> Void)? {
        let factors = factors(for: step).map { Float($0) }
        return { chunk in
            let factor = factors[chunk.tensor]
            for i in 0..<chunk.count { chunk.output[i] = chunk.input[i] * factor }
        }
    }

    public func operation(for step: StepContext) -> ((Chunk) -> Void)? {
        let factors = factors(for: step).map { Float($0) }
        let decay = Float(weightDecay)
        return { chunk in
            let factor = factors[chunk.tensor]
            let share = chunk.isDecayed ? decay : 0
            for i in 0..<chunk.count { chunk.output[i] = (chunk.input[i] + chunk.weights[i] * share) * factor }
        }
    }
}
