/// What a training step spends its time on.
public enum Phase: String, Hashable, Sendable, CaseIterable {
    case forwardProducts = "forward products"
    case inputGradients = "input gradients"
    case weightGradients = "weight gradients"
    case attention
    case attentionBackward = "attention backward"
    /// Residual, dropout and LayerNorm, both ways.
    case normalization
    /// Tables, both ways.
    case embeddings
    case biasGradients = "bias gradients"
    /// Of the head.
    case dropout
    /// Clearing the gradient, norm, clipping, moments, update.
    case optimizer

    init(_ kind: ProductKind) {
        self = switch kind {
        case .forward: .forwardProducts
        case .inputGradient: .inputGradients
        case .weightGradient: .weightGradients
        }
    }
}

/// Wall-clock seconds that a backend's operations took, by phase.
public struct PhaseTimes: Hashable, Sendable {
    private var seconds = [Double](repeating: 0, count: Phase.allCases.count)

    public init() {}

    public subscript(phase: Phase) -> Double {
        get { seconds[Self.place(phase)] }
        set { seconds[Self.place(phase)] = newValue }
    }

    public var total: Double { seconds.reduce(0, +) }

    public static func - (a: Self, b: Self) -> Self {
        var difference = a
        for i in difference.seconds.indices { difference.seconds[i] -= b.seconds[i] }
        return difference
    }

    private static func place(_ phase: Phase) -> Int {
        switch phase {
        case .forwardProducts: 0
        case .inputGradients: 1
        case .weightGradients: 2
        case .attention: 3
        case .attentionBackward: 4
        case .normalization: 5
        case .embeddings: 6
        case .biasGradients: 7
        case .dropout: 8
        case .optimizer: 9
        }
    }
}
