/// Where a perturbation of the embeddings is added.
public enum NoisePlace: String, Hashable, Sendable, CaseIterable {
    /// z = (word[id] + noise) + …: the output of the word lookup, before types, positions, LayerNorm and dropout.
    case word
    /// y = drop(LayerNorm(z) + noise): after the embeddings' LayerNorm, before their dropout.
    case normalized
}

/// A perturbation of the embeddings for one pass.
public struct EmbeddingNoise<Scalar> {
    public var place: NoisePlace
    /// [T, C]
    public var values: UnsafePointer<Scalar>

    public init(_ place: NoisePlace, _ values: UnsafePointer<Scalar>) {
        (self.place, self.values) = (place, values)
    }

    func values(at place: NoisePlace) -> UnsafePointer<Scalar>? { self.place == place ? values : nil }
}
