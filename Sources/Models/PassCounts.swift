/// What the passes of a model have cost, in tokens: one token through all encoder blocks in one direction counts 1.
///
/// A plain step of T tokens is T forward, T input-gradient and T weight-gradient tokens. The products behind them are counted by
/// `Backend.counts`, where they are done.
public struct PassCounts: Hashable, Sendable {
    private let layers: Int
    /// Tokens times blocks.
    var forward = 0, inputGradient = 0, weightGradient = 0
    /// Backward passes that added to the embedding tables' gradients.
    public internal(set) var scatters = 0

    init(layers: Int) { self.layers = layers }

    public var forwardTokens: Double { tokens(forward) }
    /// Of backward passes, whether or not weights got a gradient.
    public var inputGradientTokens: Double { tokens(inputGradient) }
    public var weightGradientTokens: Double { tokens(weightGradient) }

    /// The sum of the three: 3 for each token of a plain step.
    public var cost: Double { tokens(forward + inputGradient + weightGradient) }

    private func tokens(_ count: Int) -> Double { layers > 0 ? Double(count) / Double(layers) : 0 }

    public static func - (a: Self, b: Self) -> Self {
        var difference = PassCounts(layers: a.layers)
        difference.forward = a.forward - b.forward
        difference.inputGradient = a.inputGradient - b.inputGradient
        difference.weightGradient = a.weightGradient - b.weightGradient
        difference.scatters = a.scatters - b.scatters
        return difference
    }
}
