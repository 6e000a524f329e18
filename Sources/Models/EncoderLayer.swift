import Tensors

/// One block: self-attention, then feed-forward, each with residual and LayerNorm after it.
struct EncoderLayer<B: Backend> {
    let attention: SelfAttention<B>
    let feedForward: FeedForward<B>

    init(_ c: EncoderConfiguration, layer: Int, tokens: Int, layout: inout ParameterLayout,
         workspace: Workspace<B.Scalar>) {
        attention = SelfAttention(c, layer: layer, tokens: tokens, layout: &layout, workspace: workspace)
        feedForward = FeedForward(c, layer: layer, tokens: tokens, layout: &layout, workspace: workspace)
    }

    /// [T, C]
    var output: Workspace<B.Scalar>.Slot { feedForward.y }

    /// Returns the output, [T, C].
    func forward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, x: B.Source, activated: Elements<B.Scalar>) -> B.Source {
        attention.forward(p, workspace, x: x)
        feedForward.forward(p, workspace, x: B.Source(workspace(attention.y)), activated: activated)
        return B.Source(workspace(output))
    }

    /// d [T, C]: gradient of the output in, of x out.
    func backward(_ p: ForwardPass<B>, _ workspace: Workspace<B.Scalar>, _ scratch: BackwardScratch<B>, x: B.Source,
                  d: B.Target, gradient: GradientTarget<B>?, needsInput: Bool) {
        feedForward.backward(p, workspace, scratch, x: B.Source(workspace(attention.y)), d: d, gradient: gradient)
        attention.backward(p, workspace, scratch, x: x, d: d, gradient: gradient, needsInput: needsInput)
    }
}
