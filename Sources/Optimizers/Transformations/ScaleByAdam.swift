import Foundation

/// Divides a running mean of the direction by the root of a running mean of its square.
///
/// ```
/// m ← m + (1 − β₁)·(u − m)        v ← β₂·v + (1 − β₂)·u²        t the number of the update, from 1
/// u ← m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)
/// ```
/// Bias corrections in double, everything elementwise in float32. Source: Kingma and Ba, arXiv 1412.6980; the order of
/// rounding follows `torch.optim.Adam`.
public struct ScaleByAdam: GradientTransformation {
    public static let name = "adam"

    public let beta1: Double
    public let beta2: Double
    public let epsilon: Double

    public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
        precondition((0..<1).contains(beta1) && (0..<1).contains(beta2))
        // Zero would turn the zeros between tensors, and every weight without gradient, into NaN.
        precondition(epsilon > 0)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
    }

    public var readsWeights: Bool { false }

    public var hyperparameters: [(key: String, value: HyperparameterValue)] {
        [("beta1", .real(beta1)), ("beta2", .real(beta2)), ("epsilon", .real(epsilon))]
    }

    public var formula: [String] {
        [
            "m ← β₁·m + (1 − β₁)·u        v ← β₂·v + (1 − β₂)·u²        t the number of the update, from 1",
            "u ← m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)        β₁ = \(beta1), β₂ = \(beta2), ε = \(epsilon)",
        ]
    }

    public var moments: [String] { ["first", "second"] }

    public var alwaysDescends: Bool { beta1 == 0 }

    /// u ← u / (√v̂ + ε).
    public func descendingOperation(for step: StepContext) -> ((Chunk) -> Void)? {
        ScaleByRootMeanSquare.operation(beta: beta2, epsilon: epsilon, moment: 1, update: step.update)
    }

    public func operation(for step: StepContext) -> ((Chunk) -> Void)? {
        let correction1 = 1 - pow(beta1, Double(step.update))
        let root2 = (1 - pow(beta2, Double(step.update))).squareRoot()
        // m̂/(√v̂ + ε) = (√c₂/c₁)·m/(√v + ε·√c₂): one division an element instead of three.
        let scale = Float(root2 / correction1)
        let offset = Lanes(repeating: Float(epsilon * root2))
        let keep2 = Float(beta2)
        let gain2 = Float(1 - beta2)
        // The mean is taken from its nearer end, which is exact for β₁ = 0.
        let fromInput = 1 - beta1 >= 0.5
        let weight = Float(fromInput ? -beta1 : 1 - beta1)
        return { chunk in
            let first = chunk.moment(0)
            let second = chunk.moment(1)
            for i in 0..<chunk.count {
                let u = chunk.input[i]
                let old = first[i]
                let m = (fromInput ? u : old) + (u - old) * weight
                let v = second[i] * keep2 + (u * gain2) * u
                first[i] = m
                second[i] = v
                chunk.output[i] = (m * scale) / (squareRoot(v) + offset)
            }
        }
    }
}
