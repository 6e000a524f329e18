/// The settings of an encoder, as `config.json` of a Hugging Face model folder holds them.
///
/// Sizes, activation and family must be in the file. A key in `Defaults` may be missing and then has the value that
/// `transformers` documents for it; `defaulted` lists those, so that nothing is assumed unseen.
public struct HuggingFaceConfig: Hashable, Sendable {
    public enum Family: String, Hashable, Sendable, CaseIterable {
        case bert, roberta
    }

    public enum Activation: String, Hashable, Sendable, CaseIterable {
        /// x·Φ(x), with the error function.
        case gelu
        /// The approximation with tanh, as the original BERT code had it.
        case geluNew = "gelu_new"
        /// The same approximation under PyTorch's name.
        case geluTanh = "gelu_pytorch_tanh"
        case relu
    }

    public enum ProblemType: String, Hashable, Sendable, CaseIterable {
        case regression
        case singleLabel = "single_label_classification"
        case multiLabel = "multi_label_classification"
    }

    /// What `transformers` takes for a key that is missing (documentation of `BertConfig` and `RobertaConfig`).
    public enum Defaults {
        public static let layerNormEpsilon = 1e-12
        public static let dropout = 0.1
        public static let initializerRange = 0.02
        public static let tiesWordEmbeddings = true
        /// Number of labels of a classifier when neither `id2label` nor `num_labels` is there.
        public static let labelCount = 2

        public static func paddingIdentifier(_ family: Family) -> Int { family == .bert ? 0 : 1 }
    }

    public var family: Family
    /// V
    public var vocabularySize: Int
    /// C
    public var hiddenSize: Int
    public var layerCount: Int
    /// H, a divisor of `hiddenSize`.
    public var headCount: Int
    /// F
    public var intermediateSize: Int
    /// Rows of the position table.
    public var positionCount: Int
    /// Rows of the token type table.
    public var typeCount: Int
    public var activation: Activation
    public var layerNormEpsilon = Defaults.layerNormEpsilon
    public var hiddenDropout = Defaults.dropout
    public var attentionDropout = Defaults.dropout
    /// Before the classifier; nil for the same as `hiddenDropout`.
    public var classifierDropout: Double?
    /// BERT may have none. RoBERTa counts its positions from the one after it.
    public var paddingIdentifier: Int?
    public var initializerRange = Defaults.initializerRange
    public var tiesWordEmbeddings = Defaults.tiesWordEmbeddings
    public var architectures: [String] = []
    /// The names of the outputs, by index; nil when the file has none.
    public var labels: [String]?
    /// `num_labels`, when it stands in the file without names.
    public var declaredLabelCount: Int?
    public var problemType: ProblemType?
    /// Keys that were missing and have the value of `Defaults`.
    public var defaulted: [String] = []
    /// Keys of the file that have no bearing on the encoder and were not read.
    public var unread: [String] = []

    public init(
        family: Family, vocabularySize: Int, hiddenSize: Int, layerCount: Int, headCount: Int, intermediateSize: Int,
        positionCount: Int, typeCount: Int, activation: Activation
    ) {
        self.family = family
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.layerCount = layerCount
        self.headCount = headCount
        self.intermediateSize = intermediateSize
        self.positionCount = positionCount
        self.typeCount = typeCount
        self.activation = activation
        paddingIdentifier = Defaults.paddingIdentifier(family)
    }

    /// Number of outputs of a classifier of this configuration, as `transformers` counts them.
    public var labelCount: Int { labels?.count ?? declaredLabelCount ?? Defaults.labelCount }

    /// The longest sequence in tokens: RoBERTa's first position is the one after `paddingIdentifier`.
    public var longestSequence: Int {
        family == .bert ? positionCount : positionCount - (paddingIdentifier ?? 0) - 1
    }
}
