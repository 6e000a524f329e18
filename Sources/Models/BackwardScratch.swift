import Tensors

/// Scratch of the backward pass, shared by all layers.
struct BackwardScratch<B: Backend> {
    /// [T, C] gradient that travels down.
    let d: Workspace<B.Scalar>.Slot
    /// [T, C] each, [T, 3C], [T, F]; [B, C]
    let branch: Workspace<B.Scalar>.CompactSlot, context: Workspace<B.Scalar>.CompactSlot, qkv: Workspace<B.Scalar>.CompactSlot
    let inner: Workspace<B.Scalar>.CompactSlot, firstQueries: Workspace<B.Scalar>.CompactSlot
    /// [B, C] gradient of first tokens.
    let firsts: Workspace<B.Scalar>.Slot
    /// [T, C], used below the layers: in the memory of `qkv`.
    let spare: Workspace<B.Scalar>.Slot

    init(_ c: EncoderConfiguration, tokens: Int, sequences: Int, inner: Workspace<B.Scalar>.CompactSlot, workspace: Workspace<B.Scalar>) {
        d = workspace.plan(tokens * c.hiddenSize)
        branch = workspace.planCompact(tokens * c.hiddenSize)
        context = workspace.planCompact(tokens * c.hiddenSize)
        let mark = workspace.mark
        spare = workspace.plan(tokens * c.hiddenSize)
        workspace.mark = mark
        qkv = workspace.planCompact(tokens * 3 * c.hiddenSize)
        self.inner = inner
        let firstRows = BlockRows.firstTokens.capacity(tokens: tokens, sequences: sequences)
        firstQueries = workspace.planCompact(firstRows * c.hiddenSize)
        firsts = workspace.plan(firstRows * c.hiddenSize)
    }
}
