import Foundation

/// The conventions of the two families for what a folder leaves unsaid: names of special tokens and the template.
enum TokenizerFamily: Sendable {
    case bert, roberta

    /// Decides for a folder without `tokenizer.json`, by what it states and by which vocabulary files it has.
    init(stated: TokenizerFamily?, files: [String: Data]) throws {
        let hasWordPiece = files["vocab.txt"] != nil
        let hasBPE = files["vocab.json"] != nil && files["merges.txt"] != nil
        switch (stated, hasWordPiece, hasBPE) {
        case (.bert, true, _), (nil, true, false): self = .bert
        case (.roberta, _, true), (nil, false, true): self = .roberta
        case (nil, true, true):
            throw TokenizerError(
                .conflict, "choosing a tokenizer", found: "both vocab.txt and vocab.json with merges.txt",
                advice: "remove those that do not belong to the model")
        default:
            let family = stated.map { $0 == .bert ? "vocab.txt" : "vocab.json and merges.txt" }
            throw TokenizerError(
                .missingFile, "choosing a tokenizer",
                expected: family ?? "tokenizer.json, or vocab.txt, or vocab.json and merges.txt",
                found: files.isEmpty ? "no tokenizer files" : files.keys.sorted().joined(separator: ", "))
        }
    }

    /// Classes that follow a `tokenizer.json` in everything.
    static let genericClasses: Set = ["PreTrainedTokenizerFast", "TokenizersBackend"]

    /// The family that the tokenizer's class or the model's type names; nil if they name none.
    ///
    /// Throws `unsupported` for others, unless there is a `tokenizer.json`, which tells by itself how it works.
    static func stated(className: String?, modelType: String?, hasDocument: Bool) throws -> TokenizerFamily? {
        let families: [String: TokenizerFamily] = [
            "bert": .bert, "distilbert": .bert, "electra": .bert, "mobilebert": .bert, "roberta": .roberta,
        ]
        if let className, !genericClasses.contains(className) {
            let stem = className.replacingOccurrences(of: "TokenizerFast", with: "")
                .replacingOccurrences(of: "Tokenizer", with: "").lowercased()
            if let family = families[stem] { return family }
            guard hasDocument else {
                throw TokenizerError(
                    .unsupported, "choosing a tokenizer", file: "tokenizer_config.json",
                    expected: "a BERT or RoBERTa tokenizer", found: className,
                    advice: "a tokenizer.json would tell how it works")
            }
            return nil
        }
        if let modelType, families[modelType] == nil, !hasDocument {
            throw TokenizerError(
                .unsupported, "choosing a tokenizer", expected: "a model of type bert or roberta", found: modelType,
                advice: "a tokenizer.json would tell how its tokenizer works")
        }
        return modelType.flatMap { families[$0] }
    }

    /// Special tokens that go by these names unless the folder says otherwise.
    var defaultNames: [String: String] {
        switch self {
        case .bert:
            [
                "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
                "mask_token": "[MASK]",
            ]
        case .roberta:
            [
                "bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>",
                "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>",
            ]
        }
    }

    /// A tokenizer of the vocabulary files alone; its template comes later, when the special tokens are known.
    func draft(files: [String: Data]) throws -> TokenizerDraft {
        var specification = TokenizerSpecification(
            kind: self == .bert ? .wordPiece : .byteLevelBPE, template: PairTemplate(single: [], pair: []),
            namedTokens: [:], vocabularyCount: 0)
        switch self {
        case .bert:
            // Lower-casing is settled when the configuration is applied.
            specification.normalization = nil
            return TokenizerDraft(
                specification: specification,
                tokens: try VocabularyFiles.lines(files["vocab.txt"] ?? Data(), file: "vocab.txt"),
                merges: [], vocabularyFile: "vocab.txt", mergesFile: "")
        case .roberta:
            let node = try JSONReader.read(files["vocab.json"] ?? Data(), file: "vocab.json", repeatable: "")
            return TokenizerDraft(
                specification: specification, tokens: try VocabularyFiles.tokens(node, file: "vocab.json"),
                merges: try VocabularyFiles.merges(files["merges.txt"] ?? Data(), file: "merges.txt"),
                vocabularyFile: "vocab.json", mergesFile: "merges.txt")
        }
    }

    func template(_ specification: TokenizerSpecification, vocabulary: Vocabulary) throws -> PairTemplate {
        func id(_ name: String) throws -> Int32 {
            let token = specification.namedTokens[name] ?? defaultNames[name] ?? ""
            if let added = specification.addedTokens.first(where: { $0.content.utf8.elementsEqual(token.utf8) }) {
                return added.id
            }
            guard let id = vocabulary.id(token.utf8) else {
                throw TokenizerError(
                    .missingToken, "building the template", expected: "\(name) \(Vocabulary.quoted(token.utf8))",
                    found: "no such token in the vocabulary")
            }
            return id
        }
        let (cls, sep) = (try id("cls_token"), try id("sep_token"))
        return self == .bert ? .bert(cls: cls, sep: sep) : .roberta(cls: cls, sep: sep)
    }
}
