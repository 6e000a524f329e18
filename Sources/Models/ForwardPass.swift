import Tensors

/// What one pass through the network knows: the batch, the weights and where its random numbers come from.
struct ForwardPass<B: Backend> {
    let backend: B
    let weights: B.Source
    /// Keeps the memory behind `weights`.
    let owner: AnyObject
    let batch: PackedBatch
    let dropout: DropoutRates?
    let noise: EmbeddingNoise<B.Scalar>?
    /// Whether compact places hold bfloat16 in this pass.
    private let keepsBF16: Bool

    init(backend: B, weights: B.Source, owner: AnyObject, batch: PackedBatch, dropout: DropoutRates?, noise: EmbeddingNoise<B.Scalar>?) {
        (self.backend, self.weights, self.owner, self.batch) = (backend, weights, owner, batch)
        (self.dropout, self.noise) = (dropout, noise)
        keepsBF16 = backend.keepsBF16
    }

    var T: Int { batch.tokenCount }

    /// How many of these rows there are in this pass.
    func count(_ rows: BlockRows) -> Int {
        switch rows {
        case .tokens: batch.tokenCount
        case .firstTokens: batch.sequenceCount
        }
    }

    /// What a compact place holds in this pass.
    func elements(_ workspace: Workspace<B.Scalar>, _ slot: Workspace<B.Scalar>.CompactSlot) -> Elements<B.Scalar> {
        workspace(slot, isBF16: keepsBF16)
    }

    /// Dropout over rows at a site; probability 0 outside training. A first token has one mask, whichever rows it is among.
    func dropout(_ rate: KeyPath<DropoutRates, Float>, site: UInt64, over rows: BlockRows) -> Dropout {
        let (example, position) = switch rows {
        case .tokens: (UnsafePointer(batch.examples), UnsafePointer(batch.positions))
        case .firstTokens: (UnsafePointer(batch.sequenceExamples), batch.zeros)
        }
        return Dropout(key: dropout?.key(site: site) ?? 0, probability: dropout?[keyPath: rate] ?? 0, example: example, position: position)
    }
}
