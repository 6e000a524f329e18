/// Heavy-ball momentum, optionally looking ahead as Nesterov does.
///
/// b ← μ·b + u, then u ← b, or u ← u + μ·b for Nesterov. As `torch.optim.SGD` without dampening.
public struct AccumulateMomentum: GradientTransformation {
    public static let name = "momentum"

    public let momentum: Double
    public let nesterov: Bool

    public init(_ momentum: Double, nesterov: Bool = false) {
        precondition((0..<1).contains(momentum))
        self.momentum = momentum
        self.nesterov = nesterov
    }

    public var readsWeights: Bool { false }

    public var hyperparameters: [(key: String, value: HyperparameterValue)] {
        [("momentum", .real(momentum)), ("nesterov", .flag(nesterov))]
    }

    public var formula: [String] {
        ["b ← μ·b + u        u ← \(nesterov ? "u + μ·b" : "b")        μ = \(momentum)"]
    }

    public var moments: [String] { ["velocity"] }

    public var alwaysDescends: Bool { momentum == 0 }
    public func descendingOperation(for step: StepContext) -> ((Chunk) -> Void)? { nil }

    public func operation(for step: StepContext) -> ((Chunk) -> Void)? {
        let mu = Float(momentum)
        let nesterov = nesterov
        return { chunk in
            let velocity = chunk.moment(0)
            for i in 0..<chunk.count {
                let u = chunk.input[i]
                let b = velocity[i] * mu + u
                velocity[i] = b
                chunk.output[i] = nesterov ? u + b * mu : b
            }
        }
    }
}
