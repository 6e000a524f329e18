/// Adds a share of the weights to the direction, where the tensor is decayed: u ← u + wd·x.
///
/// Before momentum this is L2 regularisation; before a trust ratio it is the decay of layer-wise methods.
public struct AddDecayedWeights: GradientTransformation {
    public static let name = "add-decay"

    public let weightDecay: Double

    public init(_ weightDecay: Double) {
        precondition(weightDecay >= 0)
        self.weightDecay = weightDecay
    }

    public var hyperparameters: [(key: String, value: HyperparameterValue)] { [("weight_decay", .real(weightDecay))] }

    public var formula: [String] { ["u ← u + \(weightDecay)·x        not for biases and LayerNorm"] }

    public var alwaysDescends: Bool { weightDecay == 0 }
    public func descendingOperation(for step: StepContext) -> ((Chunk) -> Void)? { nil }

    public func operation(for step: StepContext) -> ((Chunk) -> Void)? {
        guard weightDecay > 0 else { return nil }
        let decay = Float(weightDecay)
        return { chunk in
            let share = chunk.isDecayed ? decay : 0
            for i in 0..<chunk.count { chunk.output[i] = chunk.input[i] + chunk.weights[i] * share }
        }
    }
}
