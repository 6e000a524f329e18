import Tensors

/// Sizes and constants of an encoder, all read from the model's own configuration.
public struct EncoderConfiguration: Hashable, Sendable {
    public var family: ModelFamily
    public var vocabularySize: Int
    /// C
    public var hiddenSize: Int
    public var layerCount: Int
    /// H, divides C.
    public var headCount: Int
    /// F
    public var intermediateSize: Int
    /// Rows of the position table.
    public var maxPositions: Int
    public var typeVocabularySize: Int
    public var layerNormEpsilon: Double
    public var activation: Activation
    public var hiddenDropout: Float
    public var attentionDropout: Float
    /// Before the classifier; nil takes `hiddenDropout`.
    public var classifierDropout: Float?
    public var padID: Int
    /// Standard deviation of new weights.
    public var initializerRange: Double

    public init(family: ModelFamily, vocabularySize: Int, hiddenSize: Int, layerCount: Int, headCount: Int,
                intermediateSize: Int, maxPositions: Int, typeVocabularySize: Int, layerNormEpsilon: Double,
                activation: Activation, hiddenDropout: Float, attentionDropout: Float, classifierDropout: Float?,
                padID: Int, initializerRange: Double) {
        precondition(headCount > 0 && hiddenSize % headCount == 0, "heads must divide the hidden size")
        self.family = family
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.layerCount = layerCount
        self.headCount = headCount
        self.intermediateSize = intermediateSize
        self.maxPositions = maxPositions
        self.typeVocabularySize = typeVocabularySize
        self.layerNormEpsilon = layerNormEpsilon
        self.activation = activation
        self.hiddenDropout = hiddenDropout
        self.attentionDropout = attentionDropout
        self.classifierDropout = classifierDropout
        self.padID = padID
        self.initializerRange = initializerRange
    }

    /// Row of the position table that a sequence's first token takes.
    public var positionOffset: Int { family.positionOffset(padID: padID) }
    /// Longest sequence, special tokens included.
    public var longestSequence: Int { maxPositions - positionOffset }
}

/// What is predicted for a sequence, and the loss that trains it.
public struct HeadConfiguration: Hashable, Sendable {
    public enum Loss: String, Hashable, Sendable, CaseIterable {
        /// One of K classes: −log softmax(logits)[y].
        case crossEntropy = "single_label_classification"
        /// K independent classes: binary cross-entropy with logits, averaged over the K.
        case binaryCrossEntropy = "multi_label_classification"
        /// K real values: squared error, averaged over the K.
        case meanSquaredError = "regression"
    }

    /// K, the width of the logits.
    public var outputs: Int
    public var loss: Loss

    public init(outputs: Int, loss: Loss) {
        precondition(outputs > 0)
        self.outputs = outputs
        self.loss = loss
    }
}
