import Tensors

/// Multi-head self-attention with its output projection, residual and LayerNorm.
struct SelfAttention<B: Backend> {
    let width: Int, heads: Int, layer: Int
    /// Offsets of the weights and biases of query, key and value.
    let weights: [Int], biases: [Int]
    /// q, k and v lie back to back in memory, so that one product computes them.
    let isFused: Bool
    let output: Linear<B>
    let norm: LayerNorm<B>
    let qkv: Workspace<B.Scalar>.CompactSlot, context: Workspace<B.Scalar>.CompactSlot, logSum: Workspace<B.Scalar>.Slot
    let z: Workspace<B.Scalar>.Slot, statistics: Workspace<B.Scalar>.Slot, y: Workspace<B.Scalar>.Slot

    init(_ c: EncoderConfiguration, layer: Int, tokens: Int, layout: inout ParameterLayout,
         workspace: Workspace<B.Scalar>) {
        (width, heads, self.layer) = (c.hiddenSize, c.headCount, layer)
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
        context = workspace.planCompact(tokens * width)
        logSum = workspace.plan(tokens * heads)
        z = workspace.plan(tokens * width)
        statistics = workspace.plan(tokens * 2)
        y = workspace.plan(tokens * width)
    }

    /// (offset of weight, offset of bias, first column, columns) of each product.
    private var projections: [(weight: Int, bias: Int, column: Int, columns: Int)] {
        isFused ? [(weights[0], biases[0], 0, 3 * width)]
            : (0..<3).map { (weights[$0], biases[$0], $0 * width, width) }
    }

    private func attention(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>) -> AttentionPass<B.Scalar> {
        AttentionPass(
            B: p.batch.sequenceCount, T: p.T, H: heads, D: width / heads, longest: p.batch.longest,
            starts: p.batch.starts, dropout: p.tokenDropout(\.attention, site: DropoutSite.attention(layer: layer)),
            qkv: p.elements(workspace, qkv), context: p.elements(workspace, context), logSum: workspace(logSum))
    }

    /// x [T, C] → `y`.
    func forward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, x: B.Source) {
        for part in projections {
            p.backend.multiply(.linear(
                rows: p.T, inputs: width, outputs: part.columns, x: Elements(x), weight: p.weights + part.weight,
                bias: p.weights + part.bias, y: p.elements(workspace, qkv) + part.column, yStride: 3 * width))
        }
        p.backend.attend(attention(p, workspace))
        output.forward(p.backend, p.weights, rows: p.T, x: p.elements(workspace, context), y: Elements(workspace(z)))
        p.backend.residualNorm(
            T: p.T, C: width, branchToZ: workspace(z), residual: x, norm: norm.norm(p.weights),
            dropout: p.tokenDropout(\.hidden, site: DropoutSite.attentionOutput(layer: layer)),
            statistics: workspace(statistics), y: workspace(y))
    }

    /// d [T, C]: gradient of `y` in, of x out. Adds to the parameters' gradient, as the target says, unless it is nil.
    func backward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, _ scratch: BackwardScratch<B>, x: B.Source,
                  d: B.Target, gradient: GradientTarget<B>?, needsInput: Bool) {
        let dropout = p.tokenDropout(\.hidden, site: DropoutSite.attentionOutput(layer: layer))
        let branch = dropout.probability > 0 ? p.elements(workspace, scratch.branch) : Elements(d)
        p.backend.residualNormBackward(
            T: p.T, C: width, dy: d, z: workspace(z), statistics: workspace(statistics), norm: norm.norm(p.weights),
            dropout: dropout, dz: d, dBranch: dropout.probability > 0 ? branch : nil,
            dGamma: gradient.map { $0 + norm.gamma }, dBeta: gradient.map { $0 + norm.beta })
        output.inputGradient(p.backend, p.weights, rows: p.T, dy: branch, dx: p.elements(workspace, scratch.context),
                             accumulates: false)
        if let gradient {
            output.parameterGradient(p.backend, gradient, rows: p.T, dy: branch, x: p.elements(workspace, context))
        }
        p.backend.attendBackward(attention(p, workspace), dContext: p.elements(workspace, scratch.context),
                                 dqkv: p.elements(workspace, scratch.qkv))
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
                    weight: p.weights + part.weight, dx: Elements(d), accumulates: true))
            }
        }
    }
}
