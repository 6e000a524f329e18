/// Weight decay outside the direction: x ← x·(1 − η·wd) before the step, on decayed tensors.
///
/// The direction passes unchanged, so a line search does not see the decay. As in `torch.optim.AdamW`, the factor is
/// rounded to float32 before it is applied. Source: Loshchilov and Hutter, arXiv 1711.05101.
public struct DecoupledDecay: GradientTransformation {
    public static let name = "decoupled-decay"

    public let weightDecay: Double

    public init(_ weightDecay: Double) {
        precondition(weightDecay >= 0)
        self.weightDecay = weightDecay
    }

    public var readsWeights: Bool { false }

    public var hyperparameters: [(key: String, value: HyperparameterValue)] { [("weight_decay", .real(weightDecay))] }

    public var formula: [String] {
        weightDecay > 0
            ? ["x ← x·(1 − η·\(weightDecay))        beside the step, not for biases and LayerNorm"]
            : ["nothing, at a weight_decay of 0"]
    }

    public var shrinkage: Double { weightDecay }

    public func operation(for step: StepContext) -> ((Chunk) -> Void)? { nil }
}
