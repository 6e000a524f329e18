/// What a product of a linear layer computes.
public enum ProductKind: Hashable, Sendable, CaseIterable {
    case forward
    /// The gradient of a layer's input.
    case inputGradient
    /// The gradient of a layer's weights.
    case weightGradient
}

/// Matrix products that a backend has done, in multiply–adds: counted where they are done, so that the cost of a method is
/// checked and not believed.
///
/// Attention stands apart, because it has no weights: its backward pass is five products of the size of the two of its
/// forward pass (scores again, and the gradients of probabilities, values, queries and keys), whether weights get a gradient or not.
public struct ProductCounts: Hashable, Sendable {
    /// Of linear layers.
    public var forward = 0, inputGradient = 0, weightGradient = 0
    /// Of attention.
    public var attentionForward = 0, attentionGradient = 0

    public init() {}

    /// Of linear layers.
    public var linear: Int { forward + inputGradient + weightGradient }
    public var total: Int { linear + attentionForward + attentionGradient }

    public static func - (a: Self, b: Self) -> Self {
        var difference = ProductCounts()
        difference.forward = a.forward - b.forward
        difference.inputGradient = a.inputGradient - b.inputGradient
        difference.weightGradient = a.weightGradient - b.weightGradient
        difference.attentionForward = a.attentionForward - b.attentionForward
        difference.attentionGradient = a.attentionGradient - b.attentionGradient
        return difference
    }

    mutating func count<Scalar>(_ p: Product<Scalar>) {
        switch p.kind {
        case .forward: forward += p.m * p.n * p.k
        case .inputGradient: inputGradient += p.m * p.n * p.k
        case .weightGradient: weightGradient += p.m * p.n * p.k
        }
    }

    /// q·kᵀ and probabilities·v.
    mutating func countForward<Scalar>(_ a: AttentionPass<Scalar>) { attentionForward += 2 * Self.size(a) }

    mutating func countBackward<Scalar>(_ a: AttentionPass<Scalar>) { attentionGradient += 5 * Self.size(a) }

    /// Σ over sequences of queries·length·C: one product of all heads.
    private static func size<Scalar>(_ a: AttentionPass<Scalar>) -> Int {
        (0..<a.B).reduce(0) { sum, b in
            let length = Int(a.starts[b + 1] - a.starts[b])
            return sum + (a.firstQueries == nil ? length : 1) * length * a.H * a.D
        }
    }
}
