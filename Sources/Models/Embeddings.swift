import Tensors

/// Sum of word, position and type vectors, LayerNorm, dropout; with noise at one of two places when a pass has it.
struct Embeddings<B: Backend> {
    let width: Int
    let word: Int, position: Int, type: Int
    let norm: LayerNorm<B>
    /// [T, C] sum, [T, 2] statistics, [T, C] output; all kept for the backward pass.
    let z: Workspace<B.Scalar>.Slot, statistics: Workspace<B.Scalar>.Slot, y: Workspace<B.Scalar>.Slot

    init(_ c: EncoderConfiguration, tokens: Int, layout: inout ParameterLayout, workspace: Workspace<B.Scalar>) {
        width = c.hiddenSize
        let name = c.family.prefix + "embeddings."
        func table(_ suffix: String, rows: Int) -> Int {
            layout.append(name + suffix, [rows, c.hiddenSize], role: .embedding, unit: .embeddings)
            return layout[name + suffix]!.offset
        }
        layout.append(c.wordTable, [c.vocabularySize, c.hiddenSize], role: .embedding, unit: .embeddings)
        word = layout[c.wordTable]!.offset
        position = table("position_embeddings.weight", rows: c.maxPositions)
        type = table("token_type_embeddings.weight", rows: c.typeVocabularySize)
        norm = LayerNorm(name + "LayerNorm", width: width, epsilon: c.layerNormEpsilon, unit: .embeddings, layout: &layout)
        z = workspace.plan(tokens * width)
        statistics = workspace.plan(tokens * 2)
        y = workspace.plan(tokens * width)
    }

    private func pass(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>) -> EmbeddingPass<B.Scalar> {
        var pass = EmbeddingPass(
            T: p.T, C: width, ids: p.batch.ids, positions: p.batch.positionRows, types: p.batch.types,
            word: p.weights + word, position: p.weights + position, type: p.weights + type, norm: norm.norm(p.weights),
            dropout: p.dropout(\.hidden, site: DropoutSite.embeddings, over: .tokens), z: workspace(z),
            statistics: workspace(statistics), y: workspace(y))
        pass.noise = p.noise
        return pass
    }

    func forward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>) { p.backend.embed(pass(p, workspace)) }

    /// dy [T, C] becomes the gradient of the sum, and so of each token's word vector. Adds to the tables' gradients.
    ///
    /// - Parameter spare: [T, C] of scratch.
    /// - Returns: the gradient of noise at the pass's place (without noise: of the sum), in `dyToDz` or in `spare`.
    func backward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, dyToDz: B.Target, gradient: GradientTarget<B>?,
                  spare: B.Target) -> B.Source {
        let pass = pass(p, workspace)
        var noise = dyToDz
        if p.noise?.place == .normalized {
            if gradient != nil {
                spare.update(from: dyToDz, count: p.T * width)
                noise = spare
            }
            p.backend.drop(rows: p.T, columns: width, noise, pass.dropout)
            if gradient == nil { return B.Source(noise) }
        }
        p.backend.embedBackward(pass, dyToDz: dyToDz, dGamma: gradient.map { $0 + norm.gamma },
                                dBeta: gradient.map { $0 + norm.beta })
        guard let gradient else { return B.Source(noise) }
        p.backend.scatterAdd(T: p.T, C: width, index: p.batch.ids, dz: dyToDz, table: gradient + word)
        p.backend.scatterAdd(T: p.T, C: width, index: p.batch.positionRows, dz: dyToDz, table: gradient + position)
        p.backend.scatterAdd(T: p.T, C: width, index: p.batch.types, dz: dyToDz, table: gradient + type)
        return B.Source(noise)
    }
}

extension EncoderConfiguration {
    /// Name of the table of word vectors, [vocabulary, C].
    public var wordTable: String { family.prefix + "embeddings.word_embeddings.weight" }
}
