import Tensors

/// One micro-batch of an optimizer's batch, as a `TrainingPass` takes it.
public struct MicroBatch<Device: Backend> {
    /// Flat, by the model's layout; kept alive by `owner`.
    public var weights: Device.Source
    public var owner: AnyObject
    public var batch: PackedBatch
    public var dropout: DropoutRates?
    public var classWeights: [Float]?
    /// What the sum of the losses over the whole optimizer's batch is divided by.
    public var normalizer: Double
    /// Examples of the whole optimizer's batch.
    public var exampleCount: Int

    public init(weights: Device.Source, owner: AnyObject, batch: PackedBatch, dropout: DropoutRates?, classWeights: [Float]?,
                normalizer: Double, exampleCount: Int) {
        (self.weights, self.owner, self.batch, self.dropout) = (weights, owner, batch, dropout)
        (self.classWeights, self.normalizer, self.exampleCount) = (classWeights, normalizer, exampleCount)
    }
}

/// What is done with each micro-batch of a step: the function that training minimises, beside the task's loss.
///
/// An evaluation is `begin` and then `evaluate` for every micro-batch in the batch's order. The losses it returns, summed and
/// divided by the normalizer, are the mean over the whole batch, and so is the gradient.
public protocol TrainingPass<Device>: AnyObject {
    associatedtype Device: Backend

    /// Starts an evaluation over a step's batch.
    ///
    /// - Parameters:
    ///   - step: updates done before.
    ///   - differentiates: whether the evaluations that follow are given a gradient.
    /// - Throws: when the loss alone cannot be given.
    func begin(step: Int, differentiates: Bool) throws

    /// Passes forward that the evaluation that was begun takes for a micro-batch.
    var forwardPasses: Double { get }

    /// Adds the gradient of the whole batch's mean, or begins it, see `SequenceModel.overwritesMatrices`; with nil only evaluates the
    /// same function.
    func evaluate(_ micro: MicroBatch<Device>, into gradient: Device.Target?, frozen: Set<ParameterUnit>) -> Double

    /// What the last evaluation with a gradient found; nil when it had no noise.
    var diagnostics: AdversarialDiagnostics? { get }
}

/// The task's loss and nothing else.
public final class PlainPass<Device: Backend>: TrainingPass {
    private let model: SequenceModel<Device>

    public init(_ model: SequenceModel<Device>) { self.model = model }

    public var diagnostics: AdversarialDiagnostics? { nil }
    public var forwardPasses: Double { 1 }
    public func begin(step: Int, differentiates: Bool) {}

    public func evaluate(_ micro: MicroBatch<Device>, into gradient: Device.Target?, frozen: Set<ParameterUnit>) -> Double {
        model.forward(micro)
        let loss = model.loss(classWeights: micro.classWeights, normalizer: micro.normalizer)
        if let gradient { model.backward(into: gradient, frozen: frozen) }
        return loss
    }
}

extension SequenceModel {
    func forward(_ micro: MicroBatch<B>, _ batch: PackedBatch? = nil, noise: EmbeddingNoise<B.Scalar>? = nil) {
        forward(micro.weights, owner: micro.owner, batch ?? micro.batch, dropout: micro.dropout, noise: noise)
    }
}
