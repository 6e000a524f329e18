import Foundation

/// What tokenizer_config.json, special_tokens_map.json and added_tokens.json say.
struct TokenizerConfiguration {
    /// A special token by name, with its flags where the file gives them.
    struct NamedToken {
        var content: String
        var flags: AddedToken?
        var file: String
        var line: Int
    }

    /// nil where there is no tokenizer_config.json or it names none.
    private(set) var className: String?
    private var fields: JSONNode?
    private var names: [String: NamedToken] = [:]
    private var extraTokens: [NamedToken] = []
    private var decoder: [AddedToken] = []

    private static let file = "tokenizer_config.json"
    private static let knownNames = [
        "bos_token", "cls_token", "eos_token", "mask_token", "pad_token", "sep_token", "unk_token",
    ]

    init(files: [String: Data]) throws {
        if let data = files[Self.file] {
            let node = try Self.object(data, file: Self.file)
            fields = node
            className = node["tokenizer_class"]?.text
            try readNames(node, file: Self.file)
            try checkUnsupported(node)
        }
        if let node = fields?["added_tokens_decoder"] {
            for (key, value) in node.members ?? [] {
                guard let id = Int32(String(decoding: key, as: UTF8.self)) else {
                    throw TokenizerError(
                        .unsupported, "reading the added tokens", file: Self.file, line: value.line,
                        expected: "ids as names", found: Vocabulary.quoted(key))
                }
                decoder.append(try AddedToken(value, id: id, file: Self.file))
            }
        } else {
            if let data = files["special_tokens_map.json"] {
                let name = "special_tokens_map.json"
                try readNames(Self.object(data, file: name), file: name)
            }
            if let data = files["added_tokens.json"] { try readAddedTokens(data) }
        }
    }

    private static func object(_ data: Data, file: String) throws -> JSONNode {
        let node = try JSONReader.read(data, file: file)
        guard node.members != nil else {
            throw TokenizerError(.malformedJSON, "reading JSON", file: file, line: node.line, expected: "an object")
        }
        return node
    }

    private mutating func readNames(_ node: JSONNode, file: String) throws {
        for name in Self.knownNames {
            guard let value = node[name], !value.isNull else { continue }
            names[name] = try Self.namedToken(value, name: name, file: file)
        }
        for key in ["additional_special_tokens", "extra_special_tokens"] {
            for value in node[key]?.elements ?? [] {
                let token = try Self.namedToken(value, name: key, file: file)
                if !extraTokens.contains(where: { $0.content.utf8.elementsEqual(token.content.utf8) }) {
                    extraTokens.append(token)
                }
            }
        }
    }

    private static func namedToken(_ node: JSONNode, name: String, file: String) throws -> NamedToken {
        if let content = node.text { return NamedToken(content: content, flags: nil, file: file, line: node.line) }
        guard node.members != nil else {
            throw TokenizerError(
                .unsupported, "reading the special tokens", file: file, line: node.line,
                expected: "\(name) to be a text or an object with its content")
        }
        var flags = try AddedToken(node, id: 0, file: file)
        flags.isSpecial = true
        return NamedToken(content: flags.content, flags: flags, file: file, line: node.line)
    }

    private mutating func readAddedTokens(_ data: Data) throws {
        let file = "added_tokens.json"
        let special = Set((names.values.map(\.content) + extraTokens.map(\.content)).map { Array($0.utf8) })
        for (key, value) in try Self.object(data, file: file).members ?? [] {
            guard let id = value.integer.flatMap({ Int32(exactly: $0) }) else {
                throw TokenizerError(
                    .nonContiguousIDs, "reading the added tokens", file: file, line: value.line,
                    expected: "an id for \(Vocabulary.quoted(key))")
            }
            let isSpecial = special.contains(key)
            decoder.append(
                AddedToken(
                    id: id, content: String(decoding: key, as: UTF8.self), isNormalized: !isSpecial,
                    isSpecial: isSpecial))
        }
    }

    private func checkUnsupported(_ node: JSONNode) throws {
        let refused: [(name: String, isFine: (JSONNode) -> Bool)] = [
            ("do_basic_tokenize", { $0.bool != false }),
            ("truncation_side", { $0.text == "right" }),
            ("split_special_tokens", { $0.bool != true }),
        ]
        for (name, isFine) in refused {
            guard let value = node[name], !value.isNull, !isFine(value) else { continue }
            throw TokenizerError(
                .unsupported, "reading the tokenizer's settings", file: Self.file, line: value.line,
                expected: "\(name) as usual",
                found: String(decoding: value.serialized().dropLast(), as: UTF8.self))
        }
    }

    /// Settles lower-casing and the other settings that the files share.
    ///
    /// - Parameters:
    ///   - lowercasesByDefault: the file names a class that lower-cases unless told otherwise.
    ///   - overrulesDocument: the class that the file or the model's type names has defaults of its own, which win over `tokenizer.json`.
    func apply(
        to draft: inout TokenizerDraft, hasDocument: Bool, lowercasesByDefault: Bool, overrulesDocument: Bool, cased: Bool?
    ) throws {
        if let length = fields?["model_max_length"]?.double, length >= 1, length < 1e9 {
            draft.specification.modelMaximumLength = Int(length)
        }
        switch draft.specification.kind {
        case .wordPiece:
            if hasDocument && draft.specification.normalization == nil { return }
            let read = draft.specification.normalization
            let stated = fields?["do_lower_case"]?.bool
            if cased == nil, let stated, let read, read.lowercases != stated {
                throw TokenizerError(
                    .conflict, "choosing lower-casing", file: Self.file, line: fields?["do_lower_case"]?.line,
                    expected: "do_lower_case \(read.lowercases) as in tokenizer.json", found: "\(stated)",
                    advice: "say --cased or --uncased")
            }
            if overrulesDocument, let read {
                try checkDefault("do_lower_case", isKept: read.lowercases || cased != nil, "text in lower case")
                try checkDefault("strip_accents", isKept: read.stripsAccents == nil || read.stripsAccents == read.lowercases, "accents stripped where letters are lower-cased")
                try checkDefault("tokenize_chinese_chars", isKept: read.separatesChinese, "Chinese characters set apart")
                try checkDefault(nil, isKept: read.cleansText, "control characters removed")
            }
            guard
                let lowercases = cased.map({ !$0 }) ?? read?.lowercases ?? stated
                    ?? (lowercasesByDefault ? true : nil)
            else {
                throw TokenizerError(
                    .undecidedCase, "choosing lower-casing", file: draft.vocabularyFile,
                    found: "nothing says whether the vocabulary is lower-cased", advice: "say --cased or --uncased")
            }
            var normalization = read ?? .init(lowercases: lowercases)
            normalization.lowercases = lowercases
            if let node = fields?["strip_accents"] { normalization.stripsAccents = node.bool }
            if let flag = fields?["tokenize_chinese_chars"]?.bool { normalization.separatesChinese = flag }
            draft.specification.normalization = normalization
        case .byteLevelBPE:
            if cased == false {
                throw TokenizerError(
                    .conflict, "choosing lower-casing", expected: "a byte-level tokenizer to keep case",
                    found: "--uncased", advice: "leave it out")
            }
            if overrulesDocument, hasDocument {
                try checkDefault("add_prefix_space", isKept: !draft.specification.addsPrefixSpace, "no space put before a text")
            }
            if let flag = fields?["add_prefix_space"]?.bool { draft.specification.addsPrefixSpace = flag }
            if let flag = fields?["trim_offsets"]?.bool { draft.specification.trimsOffsets = flag }
        }
    }

    /// Refuses a setting of `tokenizer.json` that the named class would overrule by its own default in `transformers`.
    ///
    /// - Parameter key: that states the setting for the class; nil where there is none.
    private func checkDefault(_ key: String?, isKept: Bool, _ usual: String) throws {
        if isKept || key.flatMap({ fields?[$0] }) != nil { return }
        let name = className ?? "the class that goes with the model's type"
        throw TokenizerError(
            .conflict, "reading a tokenizer", file: "tokenizer.json", expected: "\(usual), as \(name) does without being told otherwise",
            found: "another setting",
            advice: (key.map { "state \($0) in tokenizer_config.json, or" } ?? "in tokenizer_config.json")
                + " name the tokenizer_class PreTrainedTokenizerFast, which follows tokenizer.json")
    }

    /// Settles the names of special tokens and the tokens that are found in the text as a whole.
    ///
    /// Names that go without saying and are not in the vocabulary are left out; those that a file states must be there.
    func resolveTokens(
        _ draft: inout TokenizerDraft, documentTokens: [AddedToken]?, family: TokenizerFamily, vocabulary: Vocabulary
    ) throws {
        var added: [AddedToken] = documentTokens ?? []
        func index(of content: String) -> Int? {
            added.firstIndex { $0.content.utf8.elementsEqual(content.utf8) }
        }
        for token in decoder {
            if let place = index(of: token.content) { added[place] = token } else { added.append(token) }
        }
        func add(_ token: NamedToken) throws {
            guard index(of: token.content) == nil else { return }
            guard let id = vocabulary.id(token.content.utf8) else {
                throw TokenizerError(
                    .missingToken, "reading the special tokens", file: token.file, line: token.line,
                    expected: "a token of the vocabulary", found: Vocabulary.quoted(token.content.utf8))
            }
            var flags = token.flags ?? AddedToken(id: id, content: token.content)
            flags.id = id
            added.append(flags)
        }
        var named = names.mapValues(\.content)
        for (name, content) in family.defaultNames where named[name] == nil {
            guard index(of: content) != nil || vocabulary.id(content.utf8) != nil else { continue }
            named[name] = content
            if documentTokens == nil {
                try add(NamedToken(content: content, flags: nil, file: draft.vocabularyFile, line: 0))
            }
        }
        for name in names.keys.sorted() { try add(names[name]!) }
        for token in extraTokens { try add(token) }
        draft.specification.addedTokens = added
        draft.specification.namedTokens = named
        if documentTokens == nil && family == .bert { draft.specification.unknownToken = named["unk_token"] }
    }
}

extension AddedToken {
    /// Reads the object form of a token.
    init(_ node: JSONNode, id: Int32, file: String) throws {
        guard let content = node["content"]?.text else {
            throw TokenizerError(
                .unsupported, "reading the added tokens", file: file, line: node.line,
                expected: "a token with its content")
        }
        let isSpecial = node["special"]?.bool ?? false
        self.init(
            id: id, content: content, singleWord: node["single_word"]?.bool ?? false,
            stripsLeft: node["lstrip"]?.bool ?? false, stripsRight: node["rstrip"]?.bool ?? false,
            isNormalized: node["normalized"]?.bool ?? !isSpecial, isSpecial: isSpecial)
    }
}
