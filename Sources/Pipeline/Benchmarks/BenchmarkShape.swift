import Models

/// A model's sizes by name: the shapes that comparisons with other programs use, all as BERT.
public struct BenchmarkShape: Sendable {
    public let name: String
    let hidden: Int, layers: Int, heads: Int, intermediate: Int, vocabulary: Int

    public static let bertBase = BenchmarkShape(
        name: "bert-base", hidden: 768, layers: 12, heads: 12, intermediate: 3072, vocabulary: 30522)
    public static let miniLM = BenchmarkShape(
        name: "minilm-l6", hidden: 384, layers: 6, heads: 12, intermediate: 1536, vocabulary: 30522)
    public static let robertaLarge = BenchmarkShape(
        name: "roberta-large", hidden: 1024, layers: 24, heads: 16, intermediate: 4096, vocabulary: 50265)

    public static let catalogue: [BenchmarkShape] = [.bertBase, .miniLM, .robertaLarge]

    /// The shape of that name; nil when there is none.
    public init?(named name: String) {
        guard let shape = Self.catalogue.first(where: { $0.name == name }) else { return nil }
        self = shape
    }

    private init(name: String, hidden: Int, layers: Int, heads: Int, intermediate: Int, vocabulary: Int) {
        (self.name, self.hidden, self.layers, self.heads) = (name, hidden, layers, heads)
        (self.intermediate, self.vocabulary) = (intermediate, vocabulary)
    }

    /// - Parameter layers: other than the shape's own number of them.
    func configuration(layers: Int? = nil) -> EncoderConfiguration {
        EncoderConfiguration(
            family: .bert, vocabularySize: vocabulary, hiddenSize: hidden, layerCount: layers ?? self.layers, headCount: heads,
            intermediateSize: intermediate, maxPositions: 512, typeVocabularySize: 2, layerNormEpsilon: 1e-12, activation: .gelu,
            hiddenDropout: 0.1, attentionDropout: 0.1, classifierDropout: nil, padID: 0, initializerRange: 0.02)
    }
}
