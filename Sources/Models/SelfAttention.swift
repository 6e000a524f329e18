import Tensors

/// Multi-head self-attention with its output projection, residual and LayerNorm. Keys and values are of all T tokens, the rest is of R rows.
struct SelfAttention<B: Backend> {
    let width: Int, heads: Int, layer: Int
    let rows: BlockRows
    /// Offsets of the weights and biases of query, key and value.
    let weights: [Int], biases: [Int]
    /// q, k and v lie back to back in memory, so that one product computes them.
    let isFused: Bool
    let output: Linear<B>
    let norm: LayerNorm<B>
    let qkv: Workspace<B.Scalar>.CompactSlot, context: Workspace<B.Scalar>.CompactSlot, logSum: Workspace<B.Scalar>.Slot
    /// [B, C] of first tokens alone: x, and q, whose place in `qkv` is not used then.
    let firsts: Workspace<B.Scalar>.Slot, firstQueries: Workspace<B.Scalar>.CompactSlot
    let z: Workspace<B.Scalar>.Slot, statistics: Workspace<B.Scalar>.Slot, y: Workspace<B.Scalar>.Slot

    init(_ c: EncoderConfiguration, layer: Int, rows: BlockRows, tokens: Int, sequences: Int, layout: inout ParameterLayout,
         workspace: Workspace<B.Scalar>) {
        (width, heads, self.layer) = (c.hiddenSize, c.headCount, layer)
        self.rows = rows
        let name = "\(c.family.prefix)encoder.layer.\(layer).attention."
        let parts = ["query", "key", "value"].map { name + "self." + $0 }
        for part in parts { layout.append(part + ".weight", [width, width], role: .weight, unit: .block(layer)) }
        for part in parts { layout.append(part + ".bias", [width], role: .bias, unit: .block(layer)) }
        weights = parts.map { [layout] in layout[$0 + ".weight"]!.offset }
        biases = parts.map { [layout] in layout[$0 + ".bias"]!.offset }
        isFused = weights[2] == weights[0] + 2 * width * width && biases[2] == biases[0] + 2 * width
        output = Linear(name + "output.dense", inputs: width, outputs: width, unit: .block(layer), layout: &layout)
        norm = LayerNorm(name + "output.LayerNorm", width: width, epsilon: c.layerNormEpsilon, unit: .block(layer),
                         layout: &layout)
        qkv = workspace.planCompact(tokens * 3 * width)
        let capacity = rows.capacity(tokens: tokens, sequences: sequences)
        context = workspace.planCompact(capacity * width)
        logSum = workspace.plan(capacity * heads)
        firsts = workspace.plan(rows == .firstTokens ? capacity * width : 0)
        firstQueries = workspace.planCompact(rows == .firstTokens ? capacity * width : 0)
        z = workspace.plan(capacity * width)
        statistics = workspace.plan(capacity * 2)
        y = workspace.plan(capacity * width)
    }

    /// (offset of weight, offset of bias, first column, columns) of each product over all tokens.
    private var projections: [(weight: Int, bias: Int, column: Int, columns: Int)] {
        let parts = rows == .tokens ? 0..<3 : 1..<3
        return isFused ? [(weights[parts.lowerBound], biases[parts.lowerBound], parts.lowerBound * width, parts.count * width)]
            : parts.map { (weights[$0], biases[$0], $0 * width, width) }
    }

    private func attention(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>) -> AttentionPass<B.Scalar> {
        AttentionPass(
            B: p.batch.sequenceCount, T: p.T, H: heads, D: width / heads, longest: p.batch.longest,
            starts: p.batch.starts, dropout: p.dropout(\.attention, site: DropoutSite.attention(layer: layer), over: rows),
            qkv: p.elements(workspace, qkv), firstQueries: rows == .firstTokens ? p.elements(workspace, firstQueries) : nil,
            context: p.elements(workspace, context), logSum: workspace(logSum))
    }

    /// x [T, C] → `y` [R, C].
    func forward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, x: B.Source) {
        let R = p.count(rows), residual = rows == .tokens ? x : B.Source(workspace(firsts))
        for part in projections {
            p.backend.multiply(.linear(
                rows: p.T, inputs: width, outputs: part.columns, x: Elements(x), weight: p.weights + part.weight,
                bias: p.weights + part.bias, y: p.elements(workspace, qkv) + part.column, yStride: 3 * width))
        }
        if rows == .firstTokens {
            let firsts = workspace(firsts)
            for b in 0..<R { (firsts + b * width).update(from: x + Int(p.batch.starts[b]) * width, count: width) }
            p.backend.multiply(.linear(
                rows: R, inputs: width, outputs: width, x: Elements(firsts), weight: p.weights + weights[0],
                bias: p.weights + biases[0], y: p.elements(workspace, firstQueries)))
        }
        p.backend.attend(attention(p, workspace))
        output.forward(p.backend, p.weights, rows: R, x: p.elements(workspace, context), y: Elements(workspace(z)))
        p.backend.residualNorm(
            T: R, C: width, branchToZ: workspace(z), residual: residual, norm: norm.norm(p.weights),
            dropout: p.dropout(\.hidden, site: DropoutSite.attentionOutput(layer: layer), over: rows),
            statistics: workspace(statistics), y: workspace(y))
    }

    /// d: gradient of `y` in, [R, C], of x out, [T, C]. Adds to the parameters' gradient, as the target says, unless it is nil.
    func backward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, _ scratch: BackwardScratch<B>, x: B.Source,
                  d: B.Target, gradient: GradientTarget<B>?, needsInput: Bool) {
        let R = p.count(rows), dropout = p.dropout(\.hidden, site: DropoutSite.attentionOutput(layer: layer), over: rows)
        let branch = dropout.probability > 0 ? p.elements(workspace, scratch.branch) : Elements(d)
        p.backend.residualNormBackward(
            T: R, C: width, dy: d, z: workspace(z), statistics: workspace(statistics), norm: norm.norm(p.weights),
            dropout: dropout, dz: d, dBranch: dropout.probability > 0 ? branch : nil,
            dGamma: gradient.map { $0 + norm.gamma }, dBeta: gradient.map { $0 + norm.beta })
        output.inputGradient(p.backend, p.weights, rows: R, dy: branch, dx: p.elements(workspace, scratch.context),
                             accumulates: false)
        if let gradient {
            output.parameterGradient(p.backend, gradient, rows: R, dy: branch, x: p.elements(workspace, context))
        }
        p.backend.attendBackward(attention(p, workspace), dContext: p.elements(workspace, scratch.context),
                                 dqkv: p.elements(workspace, scratch.qkv),
                                 dFirstQueries: rows == .firstTokens ? p.elements(workspace, scratch.firstQueries) : nil)
        if rows == .firstTokens { firstQueriesBackward(p, workspace, scratch, d: d, gradient: gradient, needsInput: needsInput) }
        // What d holds of first tokens has moved away: the first product overwrites it.
        var accumulates = rows == .tokens
        for part in projections {
            let dqkv = p.elements(workspace, scratch.qkv) + part.column
            if let gradient {
                p.backend.multiply(.linearWeightGradient(
                    rows: p.T, inputs: width, outputs: part.columns, dy: dqkv, dyStride: 3 * width, x: Elements(x),
                    dw: gradient + part.weight, accumulates: gradient.addsMatrices))
                p.backend.addColumnSums(rows: p.T, columns: part.columns, dqkv, stride: 3 * width,
                                        into: gradient + part.bias)
            }
            if needsInput {
                p.backend.multiply(.linearInputGradient(
                    rows: p.T, inputs: width, outputs: part.columns, dy: dqkv, dyStride: 3 * width,
                    weight: p.weights + part.weight, dx: Elements(d), accumulates: accumulates))
                accumulates = true
            }
        }
        if rows == .firstTokens, needsInput {
            let firsts = workspace(scratch.firsts)
            for b in 0..<R {
                let to = d + Int(p.batch.starts[b]) * width, from = firsts + b * width
                for c in 0..<width { to[c] += from[c] }
            }
        }
    }

    /// Of the product of queries of first tokens; d [B, C] and the gradient of their x go to the scratch's `firsts`.
    private func firstQueriesBackward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, _ scratch: BackwardScratch<B>, d: B.Target,
                                      gradient: GradientTarget<B>?, needsInput: Bool) {
        let R = p.count(rows), dq = p.elements(workspace, scratch.firstQueries)
        if let gradient {
            p.backend.multiply(.linearWeightGradient(
                rows: R, inputs: width, outputs: width, dy: dq, x: Elements(workspace(firsts)), dw: gradient + weights[0],
                accumulates: gradient.addsMatrices))
            p.backend.addColumnSums(rows: R, columns: width, dq, stride: width, into: gradient + biases[0])
        }
        guard needsInput else { return }
        p.backend.multiply(.linearInputGradient(
            rows: R, inputs: width, outputs: width, dy: dq, weight: p.weights + weights[0], dx: Elements(d), accumulates: true))
        workspace(scratch.firsts).update(from: d, count: R * width)
    }
}
