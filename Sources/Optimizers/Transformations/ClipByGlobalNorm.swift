/// Shortens the direction where its norm over all trained tensors is too large.
///
/// u ← u·min(1, maximum/(‖u‖₂ + 1e-6)), the formula of `torch.nn.utils.clip_grad_norm_`.
public struct ClipByGlobalNorm: GradientTransformation {
    public static let name = "clip"

    public let maximum: Double

    public init(_ maximum: Double) {
        precondition(maximum > 0)
        self.maximum = maximum
    }

    public var readsWeights: Bool { false }

    public var hyperparameters: [(key: String, value: HyperparameterValue)] { [("max_norm", .real(maximum))] }

    public var formula: [String] { ["u ← u·min(1, \(maximum)/(‖u‖₂ + 1e-6))        ‖u‖₂ over all trained tensors"] }

    public var measures: Measures { .direction }

    public var isKeptBySearch: Bool { false }

    /// The factor for a norm.
    public func factor(norm: Double) -> Double { min(1, maximum / (norm + 1e-6)) }

    public func operation(for step: StepContext) -> ((Chunk) -> Void)? {
        let factor = Float(factor(norm: step.measurement.directionNorm))
        guard factor < 1 else { return nil }
        return { chunk in
            for i in 0..<chunk.count { chunk.output[i] = chunk.input[i] * factor }
        }
    }
}
