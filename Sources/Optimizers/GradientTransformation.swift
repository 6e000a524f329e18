import Tensors

/// One atom of an optimizer: turns a direction into another one, for example by scaling, clipping or averaging.
///
/// A chain starts from the gradient g and ends with the direction u; the step is x ← x − η·u with the η of a
/// `LineSearch`. The value itself holds nothing but constants: everything that changes from step to step is declared in
/// `moments` and lives in the `OptimizerState`, created up front and stored by name.
///
/// The whole chain runs on one chunk after the other, so an elementwise transformation costs no memory traffic beyond
/// its own moments. One that needs sums over tensors says so in `measures` and costs one more pass, unless it stands
/// first: the gradient is measured anyway.
public protocol GradientTransformation: Hyperparameterized {
    /// Names of the moments, each as large as the trained weights and zero at the start.
    var moments: [String] { get }

    /// The sums that `operation(for:)` will find in its context.
    var measures: Measures { get }

    /// What to do with each chunk in this step, or nil when the direction stays as it is.
    ///
    /// The operation is called from several threads at once, once for each chunk. It reads `input` and writes
    /// all `count` lanes of `output`, and must turn zeros into zeros, because gaps between tensors are part of chunks.
    func operation(for step: StepContext) -> ((Chunk) -> Void)?

    /// Share of a decayed tensor's weights that goes per unit of learning rate, outside the direction.
    ///
    /// The optimizer multiplies the weights by 1 − η·shrinkage before it adds the step; the sum over the chain counts.
    var shrinkage: Double { get }

    /// Whether the direction depends on the weights, so that it may not be zero where gradient and moments always were.
    var readsWeights: Bool { get }

    /// Whether the direction made of any gradient descends: gᵀu > 0. Momentum and decayed weights may turn it around.
    var alwaysDescends: Bool { get }

    /// The same operation without what may turn the direction around, so that the chain gives P⁻¹g with a positive P.
    ///
    /// Only where `alwaysDescends` is false. Used on copies of the moments: what it leaves in them is thrown away.
    func descendingOperation(for step: StepContext) -> ((Chunk) -> Void)?

    /// Whether a search that tries steps has it in its direction. Clipping only sets a length, which the search chooses.
    var isKeptBySearch: Bool { get }
}

extension GradientTransformation {
    public var moments: [String] { [] }
    public var measures: Measures { [] }
    public var shrinkage: Double { 0 }
    public var readsWeights: Bool { true }
    public var alwaysDescends: Bool { true }
    public func descendingOperation(for step: StepContext) -> ((Chunk) -> Void)? { operation(for: step) }
    public var isKeptBySearch: Bool { true }
}

/// What a transformation may know about the step at hand.
public struct StepContext {
    /// Number of this update, from 1.
    public let update: Int
    /// The sums that the transformation declared; empty otherwise.
    public let measurement: Measurement
    /// Whether weight decay applies, for each trained tensor.
    public let isDecayed: [Bool]
}
