import Tensors

/// From the first token of each sequence to its logits: (dropout,) dense, tanh, dropout, projection.
struct SequenceHead<B: Backend> {
    let width: Int, outputs: Int
    let dropsBeforeDense: Bool
    let dense: Linear<B>, projection: Linear<B>
    /// [B, C] input of the dense layer, after tanh, after dropout; [B, K]
    let first: Workspace<B.Scalar>.Slot, pooled: Workspace<B.Scalar>.Slot, dropped: Workspace<B.Scalar>.Slot
    let logits: Workspace<B.Scalar>.Slot, dLogits: Workspace<B.Scalar>.Slot

    init(_ c: EncoderConfiguration, outputs: Int, sequences: Int, layout: inout ParameterLayout,
         workspace: Workspace<B.Scalar>) {
        (width, self.outputs, dropsBeforeDense) = (c.hiddenSize, outputs, c.family.dropsBeforeDense)
        dense = Linear(c.family.denseName, inputs: width, outputs: width, unit: .head, isFloat32: true, layout: &layout)
        projection = Linear(c.family.outputName, inputs: width, outputs: outputs, unit: .head, isFloat32: true, layout: &layout)
        first = workspace.plan(sequences * width)
        pooled = workspace.plan(sequences * width)
        dropped = workspace.plan(sequences * width)
        logits = workspace.plan(sequences * outputs)
        dLogits = workspace.plan(sequences * outputs)
    }

    /// x [B, C], of first tokens → `logits` [B, K].
    func forward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, x: B.Source) {
        let rows = p.batch.sequenceCount
        let first = workspace(first), pooled = workspace(pooled), dropped = workspace(dropped)
        first.update(from: x, count: rows * width)
        if dropsBeforeDense {
            p.backend.drop(rows: rows, columns: width, first, p.dropout(\.classifier, site: DropoutSite.headInput, over: .firstTokens))
        }
        dense.forward(p.backend, p.weights, rows: rows, x: Elements(first), y: Elements(pooled))
        for i in 0..<rows * width { pooled[i] = hyperbolicTangent(pooled[i]) }
        dropped.update(from: pooled, count: rows * width)
        p.backend.drop(rows: rows, columns: width, dropped, p.dropout(\.classifier, site: DropoutSite.classifier, over: .firstTokens))
        projection.forward(p.backend, p.weights, rows: rows, x: Elements(dropped), y: Elements(workspace(logits)))
    }

    /// From `dLogits` to d [B, C], the gradient of x, which is overwritten.
    func backward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, d: B.Target, gradient: GradientTarget<B>?,
                  needsInput: Bool) {
        let rows = p.batch.sequenceCount
        let dPooled = workspace(dropped), pooled = workspace(pooled)
        if let gradient {
            projection.parameterGradient(p.backend, gradient, rows: rows, dy: Elements(workspace(dLogits)), x: Elements(workspace(dropped)))
        }
        projection.inputGradient(p.backend, p.weights, rows: rows, dy: Elements(workspace(dLogits)), dx: Elements(dPooled),
                                 accumulates: false)
        p.backend.drop(rows: rows, columns: width, dPooled, p.dropout(\.classifier, site: DropoutSite.classifier, over: .firstTokens))
        for i in 0..<rows * width { dPooled[i] *= 1 - pooled[i] * pooled[i] }
        if let gradient {
            dense.parameterGradient(p.backend, gradient, rows: rows, dy: Elements(dPooled), x: Elements(workspace(first)))
        }
        guard needsInput else { return }
        dense.inputGradient(p.backend, p.weights, rows: rows, dy: Elements(dPooled), dx: Elements(d), accumulates: false)
        if dropsBeforeDense {
            p.backend.drop(rows: rows, columns: width, d, p.dropout(\.classifier, site: DropoutSite.headInput, over: .firstTokens))
        }
    }
}
