/// Everything about a tokenizer but its vocabulary: with the vocabulary's bytes it rebuilds the tokenizer.
public struct TokenizerSpecification: Codable, Sendable, Hashable {
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// BERT's: normaliser, pre-tokenizer, greedy longest match.
        case wordPiece = "bert-wordpiece"
        /// RoBERTa's and GPT-2's byte-pair encoding over bytes.
        case byteLevelBPE = "byte-level-bpe"
    }

    /// BERT's text normaliser.
    public struct Normalization: Codable, Sendable, Hashable {
        /// Removes control characters and turns white space into spaces.
        public var cleansText = true
        /// Sets Chinese characters apart by spaces.
        public var separatesChinese = true
        /// nil follows `lowercases`.
        public var stripsAccents: Bool?
        public var lowercases: Bool

        public init(
            cleansText: Bool = true, separatesChinese: Bool = true, stripsAccents: Bool? = nil, lowercases: Bool
        ) {
            self.cleansText = cleansText
            self.separatesChinese = separatesChinese
            self.stripsAccents = stripsAccents
            self.lowercases = lowercases
        }
    }

    public var kind: Kind
    /// Of WordPiece only.
    public var normalization: Normalization?
    /// The token for words, or bytes, that the vocabulary cannot spell. Without one unknown bytes are dropped.
    public var unknownToken: String?
    /// What tokens inside a word start with (WordPiece).
    public var continuationPrefix = "##"
    /// Words of more characters are unknown (WordPiece).
    public var maximumWordLength = 100
    /// Whether neighbouring unknown bytes share one unknown token (byte-level BPE).
    public var fusesUnknown = false
    /// Whether a text that does not start with a space gets one (byte-level BPE).
    public var addsPrefixSpace = false
    /// Whether offsets leave out spaces at either end of a token (byte-level BPE).
    public var trimsOffsets = true
    /// Tokens found in the text as a whole, ordered by id.
    public var addedTokens: [AddedToken] = []
    public var template: PairTemplate
    /// Named special tokens: `pad_token`, `cls_token` and so on, as in `tokenizer_config.json`.
    public var namedTokens: [String: String]
    /// `model_max_length` of the source, if the model would take longer sequences. Handed on to exports; texts are cut where they are used.
    public var modelMaximumLength: Int?
    /// Number of tokens in the vocabulary, without those added after it.
    public var vocabularyCount: Int

    /// The names of the vocabulary files of this kind in a Hugging Face folder.
    public var vocabularyFileNames: [String] {
        kind == .wordPiece ? ["vocab.txt"] : ["vocab.json", "merges.txt"]
    }
}

/// A token that is found in the text before anything else is done to it.
public struct AddedToken: Codable, Sendable, Hashable {
    public var id: Int32
    public var content: String
    /// Matches only where no word character stands beside it.
    public var singleWord = false
    /// Swallows white space on its left.
    public var stripsLeft = false
    /// Swallows white space on its right.
    public var stripsRight = false
    /// Is looked for in the normalised text instead of the raw one.
    public var isNormalized = false
    public var isSpecial = true

    public init(
        id: Int32, content: String, singleWord: Bool = false, stripsLeft: Bool = false, stripsRight: Bool = false,
        isNormalized: Bool = false, isSpecial: Bool = true
    ) {
        self.id = id
        self.content = content
        self.singleWord = singleWord
        self.stripsLeft = stripsLeft
        self.stripsRight = stripsRight
        self.isNormalized = isNormalized
        self.isSpecial = isSpecial
    }
}
