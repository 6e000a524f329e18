import Tensors

/// Where a backward pass leaves the gradient, flat by the layout of the weights.
struct GradientTarget<B: Backend> {
    let start: B.Target
    /// Whether the gradients of linear layers' matrices are added to what is there, as all others are, or overwrite it.
    let addsMatrices: Bool

    /// The gradient of what lies at an offset of the layout.
    static func + (target: GradientTarget, offset: Int) -> B.Target { target.start + offset }
}
