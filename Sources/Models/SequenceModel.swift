import Tensors

/// An encoder with a sequence head: forward and hand-written backward on packed batches.
///
/// Generic over the backend: in float32 on the CPU it trains, in double on the reference backend it is the oracle.
/// All memory is taken by `init`; the passes allocate nothing that grows with the batch.
public final class SequenceModel<B: Backend> {
    public let configuration: EncoderConfiguration
    public let head: HeadConfiguration
    public let backend: B
    public let layout: ParameterLayout
    /// Largest T and B of a batch.
    public let tokenCapacity: Int, sequenceCapacity: Int

    private let workspace = Workspace<B.Scalar>()
    private let embeddings: Embeddings<B>
    private let layers: [EncoderLayer<B>]
    private let sequenceHead: SequenceHead<B>
    private let activated: Workspace<B.Scalar>.Slot
    private let scratch: BackwardScratch<B>?
    private var pending: ForwardPass<B>?

    /// Names, shapes and units of a model's parameters, without its memory.
    public static func layout(_ configuration: EncoderConfiguration, _ head: HeadConfiguration) -> ParameterLayout {
        var layout = ParameterLayout()
        let workspace = Workspace<B.Scalar>()
        _ = Embeddings<B>(configuration, tokens: 0, layout: &layout, workspace: workspace)
        for i in 0..<configuration.layerCount {
            _ = EncoderLayer<B>(configuration, layer: i, tokens: 0, layout: &layout, workspace: workspace)
        }
        _ = SequenceHead<B>(configuration, outputs: head.outputs, sequences: 0, layout: &layout, workspace: workspace)
        return layout
    }

    /// - Parameter trains: keeps every layer's activations for `backward`; otherwise the layers share theirs.
    public init(_ configuration: EncoderConfiguration, _ head: HeadConfiguration, backend: B, tokenCapacity: Int,
                sequenceCapacity: Int, trains: Bool) {
        self.configuration = configuration
        self.head = head
        self.backend = backend
        self.tokenCapacity = tokenCapacity
        self.sequenceCapacity = sequenceCapacity
        var layout = ParameterLayout()
        embeddings = Embeddings(configuration, tokens: tokenCapacity, layout: &layout, workspace: workspace)
        var layers: [EncoderLayer<B>] = []
        let mark = workspace.mark
        for i in 0..<configuration.layerCount {
            // Without a backward pass every layer may use the same memory: its input is dead when its output is written.
            if !trains { workspace.mark = mark }
            layers.append(EncoderLayer(configuration, layer: i, tokens: tokenCapacity, layout: &layout, workspace: workspace))
        }
        self.layers = layers
        sequenceHead = SequenceHead(configuration, outputs: head.outputs, sequences: sequenceCapacity, layout: &layout,
                                    workspace: workspace)
        activated = workspace.plan(tokenCapacity * configuration.intermediateSize)
        scratch = trains ? BackwardScratch(configuration, tokens: tokenCapacity, inner: activated, workspace: workspace) : nil
        self.layout = layout
        workspace.commit()
    }

    /// Bytes of activations and scratch.
    public var workspaceByteCount: Int { workspace.byteCount }

    /// Logits [B, K] of a batch, valid until the next pass.
    ///
    /// - Parameters:
    ///   - weights: flat, by `layout`.
    ///   - dropout: nil outside training.
    ///   - owner: what keeps `weights` alive; held until `backward` or the next pass.
    @discardableResult
    public func forward(_ weights: B.Source, owner: AnyObject, _ batch: PackedBatch,
                        dropout: DropoutRates? = nil) -> B.Source {
        precondition(batch.tokenCount <= tokenCapacity && batch.sequenceCount <= sequenceCapacity)
        let pass = ForwardPass(backend: backend, weights: weights, owner: owner, batch: batch, dropout: dropout)
        embeddings.forward(pass, workspace)
        var x = B.Source(workspace(embeddings.y))
        for layer in layers { x = layer.forward(pass, workspace, x: x, activated: workspace(activated)) }
        sequenceHead.forward(pass, workspace, x: x)
        pending = pass
        return B.Source(workspace(sequenceHead.logits))
    }

    /// Sum of the losses of the batch of the last `forward`; prepares `backward`.
    ///
    /// - Parameter normalizer: what the sum over the whole batch is divided by to give its mean; scales the gradient.
    public func loss(classWeights: [Float]? = nil, normalizer: Double) -> Double {
        guard let pass = pending else { preconditionFailure("loss comes after forward") }
        return LossFunction.evaluate(
            head, sequences: pass.batch.sequenceCount, logits: B.Source(workspace(sequenceHead.logits)),
            classes: pass.batch.classes, values: pass.batch.values, classWeights: classWeights, normalizer: normalizer,
            dLogits: workspace(sequenceHead.dLogits))
    }

    /// Adds the gradient of the last `loss` to `gradient`, which has the layout of the weights.
    ///
    /// - Parameter frozen: units whose parameters get no gradient; the pass ends above the lowest unit that is not frozen.
    /// - Returns: with `gradient` nil, the gradient of the embedding sum [T, C]; else nil.
    @discardableResult
    public func backward(into gradient: B.Target?, frozen: Set<ParameterUnit> = []) -> B.Source? {
        guard let pass = pending, let scratch else { preconditionFailure("backward comes after loss, on a training model") }
        pending = nil
        let d = workspace(scratch.d)
        func target(_ unit: ParameterUnit) -> B.Target? { frozen.contains(unit) ? nil : gradient }
        var lowest = ParameterUnit.embeddings
        if gradient != nil {
            let units = [.embeddings] + layers.indices.map(ParameterUnit.block)
            lowest = units.first { !frozen.contains($0) } ?? .head
        }
        sequenceHead.backward(pass, workspace, d: d, gradient: target(.head), needsInput: lowest < .head)
        for i in layers.indices.reversed() where lowest <= .block(i) {
            let x = i == 0 ? workspace(embeddings.y) : workspace(layers[i - 1].output)
            layers[i].backward(pass, workspace, scratch, x: x, d: d, gradient: target(.block(i)),
                               needsInput: lowest < .block(i))
        }
        if lowest == .embeddings { embeddings.backward(pass, workspace, dyToDz: d, gradient: target(.embeddings)) }
        return gradient == nil ? B.Source(d) : nil
    }
}

extension SequenceModel where B.Scalar == Float {
    /// Logits [B, K] of a batch, valid until the next pass.
    @discardableResult
    public func forward(_ parameters: Parameters, _ batch: PackedBatch, dropout: DropoutRates? = nil) -> B.Source {
        forward(parameters.pointer, owner: parameters, batch, dropout: dropout)
    }

    /// Adds the gradient of the last `loss` to `gradient`.
    public func backward(into gradient: Parameters, frozen: Set<ParameterUnit> = []) {
        withExtendedLifetime(gradient) { _ = backward(into: gradient.pointer, frozen: frozen) }
    }
}
