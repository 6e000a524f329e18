import Foundation

/// Divides the direction by the root of a running mean of its square: Adam without its first moment.
///
/// ```
/// v ← β·v + (1 − β)·u²        t the number of the update, from 1
/// u ← u / (√(v/(1 − βᵗ)) + ε)
/// ```
/// Bias correction in double, everything elementwise in float32. Source: the preconditioner of Kingma and Ba,
/// arXiv 1412.6980, as line searches after Vaswani et al., arXiv 2006.06835, use it.
public struct ScaleByRootMeanSquare: GradientTransformation {
    public static let name = "rms"

    public let beta: Double
    public let epsilon: Double

    public init(beta: Double = 0.999, epsilon: Double = 1e-8) {
        precondition((0..<1).contains(beta))
        precondition(epsilon > 0)
        self.beta = beta
        self.epsilon = epsilon
    }

    public var readsWeights: Bool { false }

    public var hyperparameters: [(key: String, value: HyperparameterValue)] {
        [("beta", .real(beta)), ("epsilon", .real(epsilon))]
    }

    public var formula: [String] {
        [
            "v ← β·v + (1 − β)·u²        t the number of the update, from 1",
            "u ← u / (√(v/(1 − βᵗ)) + ε)        β = \(beta), ε = \(epsilon)",
        ]
    }

    public var moments: [String] { ["second"] }

    public func operation(for step: StepContext) -> ((Chunk) -> Void)? {
        Self.operation(beta: beta, epsilon: epsilon, moment: 0, update: step.update)
    }

    /// The operation with v in the given moment of a transformation.
    static func operation(beta: Double, epsilon: Double, moment: Int, update: Int) -> (Chunk) -> Void {
        // u/(√v̂ + ε) = √c·u/(√v + ε·√c), c the bias correction: one division an element instead of two.
        let root = (1 - pow(beta, Double(update))).squareRoot()
        let scale = Float(root)
        let offset = Lanes(repeating: Float(epsilon * root))
        let keep = Float(beta)
        let gain = Float(1 - beta)
        return { chunk in
            let second = chunk.moment(moment)
            for i in 0..<chunk.count {
                let u = chunk.input[i]
                let v = second[i] * keep + (u * gain) * u
                second[i] = v
                chunk.output[i] = (u * scale) / (squareRoot(v) + offset)
            }
        }
    }
}
