import Tensors

/// Two products with an activation between them, residual and LayerNorm, of R rows.
struct FeedForward<B: Backend> {
    let width: Int, inner: Int, layer: Int
    let rows: BlockRows
    let activation: Activation
    let up: Linear<B>, down: Linear<B>
    let norm: LayerNorm<B>
    /// [R, F] before the activation, kept; the activation's output is computed again by the backward pass.
    let u: Workspace<B.Scalar>.CompactSlot
    let z: Workspace<B.Scalar>.Slot, statistics: Workspace<B.Scalar>.Slot, y: Workspace<B.Scalar>.Slot

    init(_ c: EncoderConfiguration, layer: Int, rows: BlockRows, capacity: Int, layout: inout ParameterLayout,
         workspace: Workspace<B.Scalar>) {
        (width, inner, self.layer, activation) = (c.hiddenSize, c.intermediateSize, layer, c.activation)
        self.rows = rows
        let name = "\(c.family.prefix)encoder.layer.\(layer)."
        up = Linear(name + "intermediate.dense", inputs: width, outputs: inner, unit: .block(layer), layout: &layout)
        down = Linear(name + "output.dense", inputs: inner, outputs: width, unit: .block(layer), layout: &layout)
        norm = LayerNorm(name + "output.LayerNorm", width: width, epsilon: c.layerNormEpsilon, unit: .block(layer),
                         layout: &layout)
        u = workspace.planCompact(capacity * inner)
        z = workspace.plan(capacity * width)
        statistics = workspace.plan(capacity * 2)
        y = workspace.plan(capacity * width)
    }

    /// x [R, C] → `y`; `activated` is [R, F] of scratch.
    func forward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, x: B.Source, activated: Elements<B.Scalar>) {
        let R = p.count(rows)
        up.forward(p.backend, p.weights, rows: R, x: Elements(x), y: p.elements(workspace, u), activation: activation,
                   activated: activated)
        down.forward(p.backend, p.weights, rows: R, x: activated, y: Elements(workspace(z)))
        p.backend.residualNorm(
            T: R, C: width, branchToZ: workspace(z), residual: x, norm: norm.norm(p.weights),
            dropout: p.dropout(\.hidden, site: DropoutSite.feedForwardOutput(layer: layer), over: rows),
            statistics: workspace(statistics), y: workspace(y))
    }

    /// d [R, C]: gradient of `y` in, of x out. Adds to the parameters' gradient, as the target says, unless it is nil. Consumes `u`.
    func backward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, _ scratch: BackwardScratch<B>, x: B.Source,
                  d: B.Target, gradient: GradientTarget<B>?) {
        let R = p.count(rows), dropout = p.dropout(\.hidden, site: DropoutSite.feedForwardOutput(layer: layer), over: rows)
        let branch = dropout.probability > 0 ? p.elements(workspace, scratch.branch) : Elements(d)
        p.backend.residualNormBackward(
            T: R, C: width, dy: d, z: workspace(z), statistics: workspace(statistics), norm: norm.norm(p.weights),
            dropout: dropout, dz: d, dBranch: dropout.probability > 0 ? branch : nil,
            dGamma: gradient.map { $0 + norm.gamma }, dBeta: gradient.map { $0 + norm.beta })
        let du = p.elements(workspace, scratch.inner), h = p.elements(workspace, u)
        down.inputGradient(p.backend, p.weights, rows: R, dy: branch, dx: du, accumulates: false, activation: activation, uToH: h)
        if let gradient {
            down.parameterGradient(p.backend, gradient, rows: R, dy: branch, x: h)
            up.parameterGradient(p.backend, gradient, rows: R, dy: du, x: Elements(x))
        }
        up.inputGradient(p.backend, p.weights, rows: R, dy: du, dx: Elements(d), accumulates: true)
    }
}
