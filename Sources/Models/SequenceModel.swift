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

    private let workspace: Workspace<B.Scalar>
    private let embeddings: Embeddings<B>
    private let layers: [EncoderLayer<B>]
    private let sequenceHead: SequenceHead<B>
    private let activated: Workspace<B.Scalar>.CompactSlot
    private let scratch: BackwardScratch<B>?
    /// The pass that each set of activations is of.
    private var pending: [ForwardPass<B>?]
    /// What the passes so far have cost.
    public private(set) var passes: PassCounts
    /// The next `backward` into a gradient overwrites there the matrices of linear layers that are not frozen, whatever they hold,
    /// where it adds otherwise, and sets this back: saves clearing them and reading them once.
    public var overwritesMatrices = false
    /// [B] losses of the sequences of the last `loss`.
    let sequenceLosses: UnsafeMutablePointer<Double>

    /// Names, shapes and units of a model's parameters, without its memory.
    public static func layout(_ configuration: EncoderConfiguration, _ head: HeadConfiguration) -> ParameterLayout {
        var layout = ParameterLayout()
        let workspace = Workspace<B.Scalar>()
        _ = Embeddings<B>(configuration, tokens: 0, layout: &layout, workspace: workspace)
        for i in 0..<configuration.layerCount {
            _ = EncoderLayer<B>(configuration, layer: i, tokens: 0, sequences: 0, layout: &layout, workspace: workspace)
        }
        _ = SequenceHead<B>(configuration, outputs: head.outputs, sequences: 0, layout: &layout, workspace: workspace)
        return layout
    }

    /// - Parameters:
    ///   - trains: keeps every layer's activations for `backward`; otherwise the layers share theirs.
    ///   - activationSets: passes that can be kept for `backward` at one time, see `activationSet`.
    ///   - changesPrecision: leaves room for passes in another precision than the backend has now.
    public init(_ configuration: EncoderConfiguration, _ head: HeadConfiguration, backend: B, tokenCapacity: Int,
                sequenceCapacity: Int, trains: Bool, activationSets: Int = 1, changesPrecision: Bool = false) {
        precondition(activationSets >= 1)
        self.configuration = configuration
        self.head = head
        self.backend = backend
        self.tokenCapacity = tokenCapacity
        self.sequenceCapacity = sequenceCapacity
        workspace = Workspace(compactsAlways: backend.keepsBF16 && !changesPrecision)
        var layout = ParameterLayout()
        embeddings = Embeddings(configuration, tokens: tokenCapacity, layout: &layout, workspace: workspace)
        var layers: [EncoderLayer<B>] = []
        let mark = workspace.mark
        for i in 0..<configuration.layerCount {
            // Without a backward pass layers may use the same memory: their input is dead when their output is written. The last one's
            // places are others, and would lie in its input.
            if !trains, i < configuration.layerCount - 1 { workspace.mark = mark }
            layers.append(EncoderLayer(configuration, layer: i, tokens: tokenCapacity, sequences: sequenceCapacity, layout: &layout,
                                       workspace: workspace))
        }
        self.layers = layers
        sequenceHead = SequenceHead(configuration, outputs: head.outputs, sequences: sequenceCapacity, layout: &layout,
                                    workspace: workspace)
        workspace.endSet()
        activated = workspace.planCompact(tokenCapacity * configuration.intermediateSize)
        scratch = trains ? BackwardScratch(configuration, tokens: tokenCapacity, sequences: sequenceCapacity, inner: activated, workspace: workspace) : nil
        self.layout = layout
        workspace.commit(sets: activationSets)
        pending = Array(repeating: nil, count: activationSets)
        passes = PassCounts(layers: configuration.layerCount)
        sequenceLosses = .allocate(capacity: max(1, sequenceCapacity))
        sequenceLosses.initialize(repeating: 0, count: max(1, sequenceCapacity))
    }

    deinit { sequenceLosses.deallocate() }

    /// What `backward` overwrites after `overwritesMatrices`: the matrices of linear layers.
    public func isOverwritten(_ entry: ParameterLayout.Entry) -> Bool { entry.role == .weight }

    /// Passes that so many tokens take at least.
    public func passes(tokens: Int) -> Int { (tokens + tokenCapacity - 1) / max(1, tokenCapacity) }

    /// Bytes of activations and scratch.
    public var workspaceByteCount: Int { workspace.byteCount }

    /// The set of activations that `forward`, `loss` and `backward` work on: a pass in one set waits for its `backward`
    /// while another set is used.
    public var activationSet: Int {
        get { workspace.set }
        set {
            precondition(pending.indices.contains(newValue), "the model has \(pending.count) sets of activations")
            workspace.set = newValue
        }
    }

    public var activationSetCount: Int { pending.count }

    /// Logits [B, K] of a batch, valid until the next pass in the same set.
    ///
    /// - Parameters:
    ///   - weights: flat, by `layout`.
    ///   - dropout: nil outside training.
    ///   - noise: added to the embeddings; its memory stays until the next pass.
    ///   - owner: what keeps `weights` alive; held until `backward` or the next pass.
    @discardableResult
    public func forward(_ weights: B.Source, owner: AnyObject, _ batch: PackedBatch,
                        dropout: DropoutRates? = nil, noise: EmbeddingNoise<B.Scalar>? = nil) -> B.Source {
        precondition(batch.tokenCount <= tokenCapacity && batch.sequenceCount <= sequenceCapacity)
        let pass = ForwardPass(backend: backend, weights: weights, owner: owner, batch: batch, dropout: dropout, noise: noise)
        embeddings.forward(pass, workspace)
        var x = B.Source(workspace(embeddings.y))
        for layer in layers { x = layer.forward(pass, workspace, x: x, activated: pass.elements(workspace, activated)) }
        sequenceHead.forward(pass, workspace, x: x)
        pending[activationSet] = pass
        passes.forward += pass.T * layers.count
        return logits
    }

    /// Sum of the losses of the batch of the last `forward`; prepares `backward`.
    ///
    /// - Parameter normalizer: what the sum over the whole batch is divided by to give its mean; scales the gradient.
    public func loss(classWeights: [Float]? = nil, normalizer: Double) -> Double {
        guard let pass = pending[activationSet] else { preconditionFailure("loss comes after forward") }
        return LossFunction.evaluate(
            head, sequences: pass.batch.sequenceCount, logits: logits,
            classes: pass.batch.classes, values: pass.batch.values, classWeights: classWeights, normalizer: normalizer,
            dLogits: logitGradient, losses: sequenceLosses)
    }

    /// [B, K] of the set in use: the logits, and their gradient that `backward` starts from.
    var logits: B.Source { B.Source(workspace(sequenceHead.logits)) }
    var logitGradient: B.Target { workspace(sequenceHead.dLogits) }

    /// Adds the gradient of the last `loss` to `gradient`, which has the layout of the weights, or begins it (`overwritesMatrices`).
    ///
    /// - Parameters:
    ///   - gradient: nil computes no product for a weight's gradient and touches no table.
    ///   - frozen: units whose parameters get no gradient; the pass ends above the lowest unit that is not frozen.
    ///   - reachesNoise: goes down to the embeddings in any case and returns the gradient there.
    /// - Returns: with `gradient` nil or `reachesNoise`, the gradient of the pass's noise [T, C] (of a pass without noise,
    ///   that of the embedding sum), valid until the next pass; else nil.
    @discardableResult
    public func backward(into gradient: B.Target?, frozen: Set<ParameterUnit> = [], reachesNoise: Bool = false) -> B.Source? {
        guard let pass = pending[activationSet], let scratch else {
            preconditionFailure("backward comes after loss, on a training model")
        }
        pending[activationSet] = nil
        let d = workspace(scratch.d)
        let written = gradient.map { GradientTarget<B>(start: $0, addsMatrices: !overwritesMatrices) }
        if gradient != nil { overwritesMatrices = false }
        func target(_ unit: ParameterUnit) -> GradientTarget<B>? { frozen.contains(unit) ? nil : written }
        var lowest = ParameterUnit.embeddings
        if gradient != nil, !reachesNoise {
            let units = [.embeddings] + layers.indices.map(ParameterUnit.block)
            lowest = units.first { !frozen.contains($0) } ?? .head
        }
        sequenceHead.backward(pass, workspace, d: d, gradient: target(.head), needsInput: lowest < .head)
        for i in layers.indices.reversed() where lowest <= .block(i) {
            let x = i == 0 ? workspace(embeddings.y) : workspace(layers[i - 1].output)
            layers[i].backward(pass, workspace, scratch, x: x, d: d, gradient: target(.block(i)),
                               needsInput: lowest < .block(i))
            passes.inputGradient += pass.T
            if target(.block(i)) != nil { passes.weightGradient += pass.T }
        }
        guard lowest == .embeddings else { return nil }
        if target(.embeddings) != nil { passes.scatters += 1 }
        let noise = embeddings.backward(pass, workspace, dyToDz: d, gradient: target(.embeddings), spare: workspace(scratch.spare))
        return gradient == nil || reachesNoise ? noise : nil
    }
}

extension SequenceModel where B.Scalar == Float {
    /// Logits [B, K] of a batch, valid until the next pass.
    @discardableResult
    public func forward(_ parameters: Parameters, _ batch: PackedBatch, dropout: DropoutRates? = nil,
                        noise: EmbeddingNoise<Float>? = nil) -> B.Source {
        forward(parameters.pointer, owner: parameters, batch, dropout: dropout, noise: noise)
    }

    /// Adds the gradient of the last `loss` to `gradient`.
    public func backward(into gradient: Parameters, frozen: Set<ParameterUnit> = []) {
        withExtendedLifetime(gradient) { _ = backward(into: gradient.pointer, frozen: frozen) }
    }
}
