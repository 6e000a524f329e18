import Foundation

/// A `tokenizer.json`: the whole tokenizer in one file.
struct TokenizerDocument {
    /// Without named tokens, and with an empty template if the document has none.
    private(set) var draft: TokenizerDraft
    private(set) var addedTokens: [AddedToken] = []
    private(set) var family: TokenizerFamily

    private static let file = "tokenizer.json"

    init(_ data: Data) throws {
        let root = try JSONReader.read(data, file: Self.file, repeatable: "vocab")
        guard let model = root["model"], model.members != nil else {
            throw Self.unsupported("a model", root["model"] ?? root)
        }
        // Documents of the first versions leave out the type; the fields tell.
        let type =
            model["type"]?.text
            ?? (model["merges"] != nil ? "BPE" : model["max_input_chars_per_word"] != nil ? "WordPiece" : "none")
        switch type {
        case "WordPiece":
            family = .bert
            draft = try Self.wordPiece(root, model)
        case "BPE":
            family = .roberta
            draft = try Self.byteLevel(root, model)
        default:
            throw Self.unsupported("a WordPiece or byte-level BPE model", model["type"] ?? model, found: type)
        }
        draft.specification.template = try Self.template(root["post_processor"], &draft.specification)
        for node in root["added_tokens"]?.elements ?? [] {
            guard let id = node["id"]?.integer.flatMap({ Int32(exactly: $0) }) else {
                throw Self.unsupported("an added token with its id", node)
            }
            addedTokens.append(try AddedToken(node, id: id, file: Self.file))
        }
    }

    private static func unsupported(_ expected: String, _ node: JSONNode, found: String? = nil) -> TokenizerError {
        let text = String(decoding: node.serialized(indentingTo: 0).dropLast().prefix(80), as: UTF8.self)
        return TokenizerError(
            .unsupported, "reading a tokenizer", file: file, line: node.line, expected: expected,
            found: found ?? text,
            advice: "only BERT WordPiece and byte-level BPE tokenizers are known")
    }

    /// The only member of a sequence, or the node itself; nil for null and an empty sequence.
    private static func unwrapped(_ node: JSONNode?, _ list: String, _ expected: String) throws -> JSONNode? {
        guard let node, !node.isNull else { return nil }
        guard node["type"]?.text == "Sequence" else { return node }
        let parts = node[list]?.elements ?? []
        guard parts.count < 2 else { throw unsupported(expected, node) }
        return parts.first
    }

    private static func tokens(_ model: JSONNode) throws -> [TokenizerDraft.Token] {
        guard let vocabulary = model["vocab"] else { throw unsupported("a vocabulary", model) }
        return try VocabularyFiles.tokens(vocabulary, file: file)
    }

    private static func wordPiece(_ root: JSONNode, _ model: JSONNode) throws -> TokenizerDraft {
        var specification = TokenizerSpecification(
            kind: .wordPiece, template: PairTemplate(single: [], pair: []), namedTokens: [:], vocabularyCount: 0)
        let expected = "BERT's normalizer or none"
        if let node = try unwrapped(root["normalizer"], "normalizers", expected) {
            guard node["type"]?.text == "BertNormalizer", let lowercases = node["lowercase"]?.bool,
                let cleans = node["clean_text"]?.bool, let chinese = node["handle_chinese_chars"]?.bool
            else { throw unsupported(expected, node) }
            specification.normalization = .init(
                cleansText: cleans, separatesChinese: chinese, stripsAccents: node["strip_accents"]?.bool,
                lowercases: lowercases)
        }
        let node = try unwrapped(root["pre_tokenizer"], "pretokenizers", "BERT's pre-tokenizer")
        guard node?["type"]?.text == "BertPreTokenizer" else {
            throw unsupported("BERT's pre-tokenizer", node ?? root["pre_tokenizer"] ?? .null)
        }
        specification.unknownToken = model["unk_token"]?.text
        specification.continuationPrefix = model["continuing_subword_prefix"]?.text ?? "##"
        specification.maximumWordLength = model["max_input_chars_per_word"]?.integer ?? 100
        return TokenizerDraft(
            specification: specification, tokens: try tokens(model), merges: [], vocabularyFile: file, mergesFile: "")
    }

    private static func byteLevel(_ root: JSONNode, _ model: JSONNode) throws -> TokenizerDraft {
        var specification = TokenizerSpecification(
            kind: .byteLevelBPE, template: PairTemplate(single: [], pair: []), namedTokens: [:], vocabularyCount: 0)
        if let node = try unwrapped(root["normalizer"], "normalizers", "no normalizer") {
            throw unsupported("no normalizer for a byte-level model", node)
        }
        let expected = "the byte-level pre-tokenizer with its own expression"
        let node = try unwrapped(root["pre_tokenizer"], "pretokenizers", expected)
        guard let node, node["type"]?.text == "ByteLevel", node["use_regex"]?.bool != false else {
            throw unsupported(expected, node ?? root["pre_tokenizer"] ?? .null)
        }
        specification.addsPrefixSpace = node["add_prefix_space"]?.bool ?? true
        // Whether offsets are trimmed is the post-processor's say.
        specification.trimsOffsets = false
        let refused: [(String, (JSONNode) -> Bool)] = [
            ("dropout", { $0.isNull || $0.double == 0 }), ("byte_fallback", { $0.bool != true }),
            ("ignore_merges", { $0.bool != true }), ("continuing_subword_prefix", { $0.isNull || $0.bytes == [] }),
            ("end_of_word_suffix", { $0.isNull || $0.bytes == [] }),
        ]
        for (name, isFine) in refused {
            if let value = model[name], !isFine(value) { throw unsupported("a model without \(name)", value) }
        }
        specification.unknownToken = model["unk_token"]?.text
        specification.fusesUnknown = model["fuse_unk"]?.bool ?? false
        guard let pairs = model["merges"]?.elements else { throw unsupported("a list of merges", model) }
        let merges = try pairs.map { pair in
            if let text = pair.bytes { return try TokenizerDraft.Merge(text, file: file, line: pair.line) }
            guard let parts = pair.elements, parts.count == 2, let left = parts[0].bytes, let right = parts[1].bytes
            else { throw unsupported("merges of two tokens", pair) }
            return TokenizerDraft.Merge(left: left, right: right, line: pair.line)
        }
        return TokenizerDraft(
            specification: specification, tokens: try tokens(model), merges: merges, vocabularyFile: file,
            mergesFile: file)
    }

    /// Reads the post-processor; an empty template if there is none.
    private static func template(
        _ node: JSONNode?, _ specification: inout TokenizerSpecification
    ) throws -> PairTemplate {
        let empty = PairTemplate(single: [], pair: [])
        guard let node, !node.isNull else { return empty }
        func id(_ name: String) throws -> Int32 {
            guard let parts = node[name]?.elements, parts.count == 2,
                let id = parts[1].integer.flatMap({ Int32(exactly: $0) })
            else { throw unsupported("\(name) with its id", node) }
            return id
        }
        switch node["type"]?.text {
        case "BertProcessing": return .bert(cls: try id("cls"), sep: try id("sep"))
        case "RobertaProcessing":
            specification.trimsOffsets = node["trim_offsets"]?.bool ?? true
            return .roberta(cls: try id("cls"), sep: try id("sep"))
        case "TemplateProcessing":
            return PairTemplate(single: try items(node, "single"), pair: try items(node, "pair"))
        case "ByteLevel":
            specification.trimsOffsets = node["trim_offsets"]?.bool ?? true
            return empty
        case "Sequence":
            var found = empty
            for part in node["processors"]?.elements ?? [] {
                let next = try template(part, &specification)
                guard found.single.isEmpty || next.single.isEmpty else {
                    throw unsupported("one post-processor with special tokens", node)
                }
                if !next.single.isEmpty { found = next }
            }
            return found
        default: throw unsupported("a template, BERT's or RoBERTa's post-processor", node)
        }
    }

    private static func items(_ node: JSONNode, _ name: String) throws -> [PairTemplate.Item] {
        guard let parts = node[name]?.elements else { throw unsupported("a template for \(name)", node) }
        return try parts.flatMap { part throws -> [PairTemplate.Item] in
            if let sequence = part["Sequence"], let type = sequence["type_id"]?.integer.flatMap({ UInt8(exactly: $0) })
            {
                switch sequence["id"]?.text {
                case "A": return [.first(type: type)]
                case "B": return [.second(type: type)]
                default: break
                }
            }
            guard let token = part["SpecialToken"],
                let type = token["type_id"]?.integer.flatMap({ UInt8(exactly: $0) }),
                let name = token["id"]?.text, let ids = node["special_tokens"]?[name]?["ids"]?.elements
            else { throw unsupported("texts and special tokens in the template", part) }
            return try ids.map { id in
                guard let id = id.integer.flatMap({ Int32(exactly: $0) }) else {
                    throw unsupported("ids of special tokens", id)
                }
                return .token(id, type: type)
            }
        }
    }
}
