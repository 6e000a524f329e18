import Foundation

/// Writes a tokenizer as the files of a Hugging Face folder, from which `transformers` builds the same tokenizer.
public enum HuggingFaceTokenizerFiles {
    /// By name: tokenizer.json, tokenizer_config.json, special_tokens_map.json and the kind's vocabulary files.
    ///
    /// The tokenizer's class is `BertTokenizer` or `RobertaTokenizer` where these can express it. They ignore some of
    /// tokenizer.json; what they could not express goes as `PreTrainedTokenizerFast`, which reads all of it.
    ///
    /// - Parameter longest: tokens that the model takes; the tokenizer's own limit is written where it is lower.
    public static func files(for tokenizer: any Tokenizer, longest: Int? = nil) -> [String: Data] {
        let specification = tokenizer.specification
        let tokens = (0..<Int32(specification.vocabularyCount)).map { tokenizer.token($0) ?? "" }
        let archive = tokenizer.archive
        let document = document(specification, tokens: tokens, merges: archive.merges)
        var files = [
            "tokenizer.json": Data(document.serialized(indentingTo: 3)),
            "tokenizer_config.json": Data(configuration(specification, longest: longest).serialized(indentingTo: 4)),
            "special_tokens_map.json": Data(names(specification).serialized(indentingTo: 1)),
        ]
        switch specification.kind {
        case .wordPiece: files["vocab.txt"] = archive.vocabulary
        case .byteLevelBPE:
            files["vocab.json"] = Data(vocabulary(tokens).serialized(indentingTo: 1))
            files["merges.txt"] = Data("#version: 0.2\n".utf8) + (archive.merges ?? Data())
        }
        return files
    }

    private static func vocabulary(_ tokens: [String]) -> JSONNode {
        .object(tokens.enumerated().map { ($1, .number($0)) })
    }

    private static func names(_ specification: TokenizerSpecification) -> JSONNode {
        .object(
            specification.namedTokens.sorted { $0.key < $1.key }.map { name, content in
                let token = specification.addedTokens.first { $0.content.utf8.elementsEqual(content.utf8) }
                guard let token, token.stripsLeft || token.stripsRight || token.singleWord || token.isNormalized else {
                    return (name, .string(content))
                }
                return (name, .object([("content", .string(content))] + flags(token)))
            })
    }

    private static func flags(_ token: AddedToken) -> [(String, JSONNode)] {
        [
            ("single_word", .bool(token.singleWord)), ("lstrip", .bool(token.stripsLeft)),
            ("rstrip", .bool(token.stripsRight)), ("normalized", .bool(token.isNormalized)),
        ]
    }

    private static func configuration(_ specification: TokenizerSpecification, longest: Int?) -> JSONNode {
        var members: [(String, JSONNode)] = [
            (
                "added_tokens_decoder",
                .object(
                    specification.addedTokens.map { token in
                        let members = [("content", .string(token.content))] + flags(token)
                        return ("\(token.id)", .object(members + [("special", .bool(token.isSpecial))]))
                    })
            )
        ]
        for (name, content) in specification.namedTokens.sorted(by: { $0.key < $1.key }) {
            members.append((name, .string(content)))
        }
        if let length = [specification.modelMaximumLength, longest].compactMap({ $0 }).min() { members.append(("model_max_length", .number(length))) }
        switch specification.kind {
        case .wordPiece:
            if let normalization = specification.normalization {
                members.append(("do_lower_case", .bool(normalization.lowercases)))
                members.append(("strip_accents", normalization.stripsAccents.map(JSONNode.bool) ?? .null))
                members.append(("tokenize_chinese_chars", .bool(normalization.separatesChinese)))
            }
        case .byteLevelBPE:
            members.append(("add_prefix_space", .bool(specification.addsPrefixSpace)))
            members.append(("trim_offsets", .bool(specification.trimsOffsets)))
        }
        members.append(("tokenizer_class", .string(className(specification))))
        return .object(members)
    }

    private static func className(_ specification: TokenizerSpecification) -> String {
        func id(_ name: String) -> Int32? {
            let content = specification.namedTokens[name] ?? ""
            return specification.addedTokens.first { $0.content.utf8.elementsEqual(content.utf8) }?.id
        }
        guard let cls = id("cls_token"), let sep = id("sep_token") else { return "PreTrainedTokenizerFast" }
        switch specification.kind {
        case .wordPiece:
            let isUsual =
                specification.normalization?.cleansText == true && specification.continuationPrefix == "##"
                && specification.maximumWordLength == 100 && specification.template == .bert(cls: cls, sep: sep)
                && specification.unknownToken == specification.namedTokens["unk_token"]
                && id("mask_token") != nil
            return isUsual ? "BertTokenizer" : "PreTrainedTokenizerFast"
        case .byteLevelBPE:
            let isUsual =
                specification.unknownToken == nil && !specification.fusesUnknown
                && specification.template == .roberta(cls: cls, sep: sep)
                && ["bos_token", "eos_token", "unk_token", "mask_token"].allSatisfy { id($0) != nil }
            return isUsual ? "RobertaTokenizer" : "PreTrainedTokenizerFast"
        }
    }

    private static func document(
        _ specification: TokenizerSpecification, tokens: [String], merges: Data?
    ) -> JSONNode {
        let added = specification.addedTokens.map { token in
            JSONNode.object(
                [("id", .number(token.id)), ("content", .string(token.content))] + flags(token)
                    + [("special", .bool(token.isSpecial))])
        }
        return .object([
            ("version", .string("1.0")), ("truncation", .null), ("padding", .null), ("added_tokens", .array(added)),
            ("normalizer", normalizer(specification)), ("pre_tokenizer", preTokenizer(specification)),
            ("post_processor", postProcessor(specification)), ("decoder", decoder(specification)),
            ("model", model(specification, tokens: tokens, merges: merges)),
        ])
    }

    private static func normalizer(_ specification: TokenizerSpecification) -> JSONNode {
        guard let normalization = specification.normalization else { return .null }
        return .object([
            ("type", .string("BertNormalizer")), ("clean_text", .bool(normalization.cleansText)),
            ("handle_chinese_chars", .bool(normalization.separatesChinese)),
            ("strip_accents", normalization.stripsAccents.map(JSONNode.bool) ?? .null),
            ("lowercase", .bool(normalization.lowercases)),
        ])
    }

    private static func byteLevel(_ specification: TokenizerSpecification) -> JSONNode {
        .object([
            ("type", .string("ByteLevel")), ("add_prefix_space", .bool(specification.addsPrefixSpace)),
            ("trim_offsets", .bool(specification.trimsOffsets)), ("use_regex", .bool(true)),
        ])
    }

    private static func preTokenizer(_ specification: TokenizerSpecification) -> JSONNode {
        specification.kind == .wordPiece
            ? .object([("type", .string("BertPreTokenizer"))]) : byteLevel(specification)
    }

    private static func decoder(_ specification: TokenizerSpecification) -> JSONNode {
        specification.kind == .wordPiece
            ? .object([
                ("type", .string("WordPiece")), ("prefix", .string(specification.continuationPrefix)),
                ("cleanup", .bool(true)),
            ]) : byteLevel(specification)
    }

    private static func postProcessor(_ specification: TokenizerSpecification) -> JSONNode {
        var names: [Int32: String] = [:]
        for item in specification.template.single + specification.template.pair {
            guard let id = item.id else { continue }
            names[id] = specification.addedTokens.first { $0.id == id }?.content ?? "token \(id)"
        }
        func items(_ items: [PairTemplate.Item]) -> JSONNode {
            .array(
                items.map { item in
                    let name = item.content == .first ? "A" : item.content == .second ? "B" : names[item.id!]!
                    let body: [(String, JSONNode)] = [("id", .string(name)), ("type_id", .number(item.typeID))]
                    return .object([(item.content == .token ? "SpecialToken" : "Sequence", .object(body))])
                })
        }
        let template = JSONNode.object([
            ("type", .string("TemplateProcessing")), ("single", items(specification.template.single)),
            ("pair", items(specification.template.pair)),
            (
                "special_tokens",
                .object(
                    names.sorted { $0.key < $1.key }.map { id, name in
                        (
                            name,
                            .object([
                                ("id", .string(name)), ("ids", .array([.number(id)])),
                                ("tokens", .array([.string(name)])),
                            ])
                        )
                    })
            ),
        ])
        guard specification.kind == .byteLevelBPE, specification.trimsOffsets else { return template }
        return .object([
            ("type", .string("Sequence")), ("processors", .array([byteLevel(specification), template])),
        ])
    }

    private static func model(
        _ specification: TokenizerSpecification, tokens: [String], merges: Data?
    ) -> JSONNode {
        let unknown = specification.unknownToken.map(JSONNode.string) ?? .null
        switch specification.kind {
        case .wordPiece:
            return .object([
                ("type", .string("WordPiece")), ("unk_token", unknown),
                ("continuing_subword_prefix", .string(specification.continuationPrefix)),
                ("max_input_chars_per_word", .number(specification.maximumWordLength)),
                ("vocab", vocabulary(tokens)),
            ])
        case .byteLevelBPE:
            let lines = [UInt8](merges ?? Data()).split(separator: UInt8(ascii: "\n"))
            return .object([
                ("type", .string("BPE")), ("dropout", .null), ("unk_token", unknown),
                ("continuing_subword_prefix", .string("")), ("end_of_word_suffix", .string("")),
                ("fuse_unk", .bool(specification.fusesUnknown)), ("byte_fallback", .bool(false)),
                ("ignore_merges", .bool(false)), ("vocab", vocabulary(tokens)),
                ("merges", .array(lines.map { JSONNode(value: .string(Array($0))) })),
            ])
        }
    }
}
