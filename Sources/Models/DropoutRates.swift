import Tensors

/// The rates of a training pass and the counter that draws its masks.
public struct DropoutRates: Hashable, Sendable {
    public var hidden: Float
    public var attention: Float
    public var classifier: Float
    public var seed: UInt64
    /// The optimizer's step. The same step sees the same masks, however often the loss is evaluated.
    public var step: UInt64

    public init(hidden: Float, attention: Float, classifier: Float, seed: UInt64, step: UInt64) {
        self.hidden = hidden
        self.attention = attention
        self.classifier = classifier
        self.seed = seed
        self.step = step
    }

    func key(site: UInt64) -> UInt64 { CounterRNG.key(seed: seed, step: step, site: site) }
}

/// Numbers of the places where dropout is drawn.
enum DropoutSite {
    static let embeddings: UInt64 = 0
    static let headInput: UInt64 = 1
    static let classifier: UInt64 = 2
    static func attention(layer: Int) -> UInt64 { 16 * UInt64(layer + 1) }
    static func attentionOutput(layer: Int) -> UInt64 { 16 * UInt64(layer + 1) + 1 }
    static func feedForwardOutput(layer: Int) -> UInt64 { 16 * UInt64(layer + 1) + 2 }
}
