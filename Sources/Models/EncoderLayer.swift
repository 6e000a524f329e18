import Tensors

/// One block: self-attention, then feed-forward, each with residual and LayerNorm after it.
///
/// R is the number of rows that it is for, see `BlockRows`.
struct EncoderLayer<B: Backend> {
    let attention: SelfAttention<B>
    let feedForward: FeedForward<B>

    init(_ c: EncoderConfiguration, layer: Int, tokens: Int, sequences: Int, layout: inout ParameterLayout,
         workspace: Workspace<B.Scalar>) {
        let rows = layer == c.layerCount - 1 ? BlockRows.firstTokens : .tokens
        attention = SelfAttention(c, layer: layer, rows: rows, tokens: tokens, sequences: sequences, layout: &layout, workspace: workspace)
        feedForward = FeedForward(c, layer: layer, rows: rows, capacity: rows.capacity(tokens: tokens, sequences: sequences),
                                  layout: &layout, workspace: workspace)
    }

    /// [R, C]
    var output: Workspace<B.Scalar>.Slot { feedForward.y }

    /// x [T, C]; returns the output, [R, C].
    func forward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, x: B.Source, activated: Elements<B.Scalar>) -> B.Source {
        attention.forward(p, workspace, x: x)
        feedForward.forward(p, workspace, x: B.Source(workspace(attention.y)), activated: activated)
        return B.Source(workspace(output))
    }

    /// d: gradient of the output in, [R, C], of x out, [T, C].
    func backward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, _ scratch: BackwardScratch<B>, x: B.Source,
                  d: B.Target, gradient: GradientTarget<B>?, needsInput: Bool) {
        feedForward.backward(p, workspace, scratch, x: B.Source(workspace(attention.y)), d: d, gradient: gradient)
        attention.backward(p, workspace, scratch, x: x, d: d, gradient: gradient, needsInput: needsInput)
    }
}
