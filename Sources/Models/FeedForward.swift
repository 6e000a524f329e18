import Tensors

/// Two products with an activation between them, residual and LayerNorm.
struct FeedForward<B: Backend> {
    let width: Int, inner: Int, layer: Int
    let activation: Activation
    let up: Linear<B>, down: Linear<B>
    let norm: LayerNorm<B>
    /// [T, F] before the activation, kept; the activation's output is computed again by the backward pass.
    let u: Workspace<B.Scalar>.CompactSlot
    let z: Workspace<B.Scalar>.Slot, statistics: Workspace<B.Scalar>.Slot, y: Workspace<B.Scalar>.Slot

    init(_ c: EncoderConfiguration, layer: Int, tokens: Int, layout: inout ParameterLayout,
         workspace: Workspace<B.Scalar>) {
        (width, inner, self.layer, activation) = (c.hiddenSize, c.intermediateSize, layer, c.activation)
        let name = "\(c.family.prefix)encoder.layer.\(layer)."
        up = Linear(name + "intermediate.dense", inputs: width, outputs: inner, unit: .block(layer), layout: &layout)
        down = Linear(name + "output.dense", inputs: inner, outputs: width, unit: .block(layer), layout: &layout)
        norm = LayerNorm(name + "output.LayerNorm", width: width, epsilon: c.layerNormEpsilon, unit: .block(layer),
                         layout: &layout)
        u = workspace.planCompact(tokens * inner)
        z = workspace.plan(tokens * width)
        statistics = workspace.plan(tokens * 2)
        y = workspace.plan(tokens * width)
    }

    /// x [T, C] → `y`; `activated` is [T, F] of scratch.
    func forward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, x: B.Source, activated: Elements<B.Scalar>) {
        up.forward(p.backend, p.weights, rows: p.T, x: Elements(x), y: p.elements(workspace, u), activation: activation,
                   activated: activated)
        down.forward(p.backend, p.weights, rows: p.T, x: activated, y: Elements(workspace(z)))
        p.backend.residualNorm(
            T: p.T, C: width, branchToZ: workspace(z), residual: x, norm: norm.norm(p.weights),
            dropout: p.tokenDropout(\.hidden, site: DropoutSite.feedForwardOutput(layer: layer)),
            statistics: workspace(statistics), y: workspace(y))
    }

    /// d [T, C]: gradient of `y` in, of x out. Adds to the parameters' gradient, as the target says, unless it is nil. Consumes `u`.
    func backward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, _ scratch: BackwardScratch<B>, x: B.Source,
                  d: B.Target, gradient: GradientTarget<B>?) {
        let dropout = p.tokenDropout(\.hidden, site: DropoutSite.feedForwardOutput(layer: layer))
        let branch = dropout.probability > 0 ? p.elements(workspace, scratch.branch) : Elements(d)
        p.backend.residualNormBackward(
            T: p.T, C: width, dy: d, z: workspace(z), statistics: workspace(statistics), norm: norm.norm(p.weights),
            dropout: dropout, dz: d, dBranch: dropout.probability > 0 ? branch : nil,
            dGamma: gradient.map { $0 + norm.gamma }, dBeta: gradient.map { $0 + norm.beta })
        let du = p.elements(workspace, scratch.inner), h = p.elements(workspace, u)
        down.inputGradient(p.backend, p.weights, rows: p.T, dy: branch, dx: du, accumulates: false, activation: activation, uToH: h)
        if let gradient {
            down.parameterGradient(p.backend, gradient, rows: p.T, dy: branch, x: h)
            up.parameterGradient(p.backend, gradient, rows: p.T, dy: du, x: Elements(x))
        }
        up.inputGradient(p.backend, p.weights, rows: p.T, dy: du, dx: Elements(d), accumulates: true)
    }
}
