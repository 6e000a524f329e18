/// Which sums over whole tensors a transformation needs before it can start.
public struct Measures: OptionSet, Sendable, Hashable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Σ u² per tensor, u the direction as it reaches the transformation.
    public static let direction = Measures(rawValue: 1)
    /// Σ x² per tensor, x the weights before the step.
    public static let weights = Measures(rawValue: 2)
}

/// Sums of squares per trained tensor, accumulated in double and combined in a fixed order.
public struct Measurement: Sendable {
    /// ‖u‖² per tensor.
    public internal(set) var direction: [Double]
    /// ‖x‖² per tensor; empty where nobody asked for it.
    public internal(set) var weights: [Double]

    /// ‖u‖₂ over all trained tensors.
    public var directionNorm: Double { direction.reduce(0, +).squareRoot() }
}
