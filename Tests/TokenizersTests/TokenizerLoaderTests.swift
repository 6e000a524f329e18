import Foundation
import Testing

@testable import Tokenizers

@Suite struct TokenizerLoaderTests {
    static let vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n.\n"
    static let alphabet: [String] = (0..<256).map { String(decoding: ByteAlphabet.token(UInt8($0)), as: UTF8.self) }

    /// A `tokenizer.json` for `vocabulary`, with parts replaced by name.
    static func document(_ changes: [String: String] = [:]) -> String {
        var parts = [
            "added_tokens": "[{\"id\": 2, \"content\": \"[CLS]\", \"special\": true, \"normalized\": false}]",
            "normalizer": """
            {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
             "lowercase": true}
            """,
            "pre_tokenizer": "{\"type\": \"BertPreTokenizer\"}",
            "post_processor": "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], \"cls\": [\"[CLS]\", 2]}",
            "model": """
            {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
             "max_input_chars_per_word": 100, "vocab":
            {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "a": 5, "##b": 6, ".": 7}}
            """,
        ]
        parts.merge(changes) { $1 }
        return "{" + parts.sorted { $0.key < $1.key }.map { "\"\($0)\": \($1)" }.joined(separator: ",\n") + "}"
    }

    static func load(
        _ files: [String: String], modelType: String? = nil, cased: Bool? = nil
    ) throws -> (any Tokenizer, TokenizerSpecification) {
        try TokenizerLoader.load(files: files.mapValues { Data($0.utf8) }, modelType: modelType, cased: cased)
    }

    static func refusal(
        _ files: [String: String], modelType: String? = nil, cased: Bool? = nil
    ) throws -> TokenizerError {
        try #require(throws: TokenizerError.self) { try load(files, modelType: modelType, cased: cased) }
    }

    /// vocab.json and merges.txt over the byte alphabet, the special tokens and `extra`.
    static func bpe(_ extra: [String] = ["ab"], merges: String = "#version: 0.2\na b\n") -> [String: String] {
        let tokens = ["<s>", "<pad>", "</s>", "<unk>"] + alphabet + extra + ["<mask>"]
        let members = tokens.enumerated().map { ($1, JSONNode.number($0)) }
        return [
            "vocab.json": String(decoding: JSONNode.object(members).serialized(), as: UTF8.self),
            "merges.txt": merges,
        ]
    }

    @Test("A lone vocab.txt needs to be told whether case is kept")
    func loneVocabulary() throws {
        let error = try Self.refusal(["vocab.txt": Self.vocabulary])
        #expect(error.reason == .undecidedCase)
        #expect(error.description.contains("--cased") && error.description.contains("--uncased"))
        #expect(try Self.refusal(["vocab.txt": Self.vocabulary], modelType: "bert").reason == .undecidedCase)
        let (uncased, _) = try Self.load(["vocab.txt": Self.vocabulary], cased: false)
        #expect(try uncased.encode("AB [MASK].").ids == [2, 5, 6, 4, 7, 3])
        let (cased, _) = try Self.load(["vocab.txt": Self.vocabulary], cased: true)
        #expect(try cased.encode("AB ab").ids == [2, 1, 5, 6, 3])
    }

    @Test("vocab.txt with tokenizer_config.json suffices; the configuration's settings are read")
    func configuration() throws {
        let text = """
            {"do_lower_case": true, "strip_accents": false, "tokenize_chinese_chars": false, "model_max_length": 512}
            """
        let (tokenizer, specification) = try Self.load(["vocab.txt": Self.vocabulary, "tokenizer_config.json": text])
        #expect(
            specification.normalization == .init(separatesChinese: false, stripsAccents: false, lowercases: true))
        #expect(specification.modelMaximumLength == 512)
        #expect(try tokenizer.encode("Á A").ids == [2, 1, 5, 3])
        let unlimited = "{\"do_lower_case\": false, \"model_max_length\": 1000000000000000019884624838656}"
        let (_, other) = try Self.load(["vocab.txt": Self.vocabulary, "tokenizer_config.json": unlimited])
        #expect(other.modelMaximumLength == nil && other.normalization?.lowercases == false)
        let byClass = "{\"tokenizer_class\": \"BertTokenizer\"}"
        let (_, third) = try Self.load(["vocab.txt": Self.vocabulary, "tokenizer_config.json": byClass])
        #expect(third.normalization?.lowercases == true)
        let silent = ["vocab.txt": Self.vocabulary, "tokenizer_config.json": "{\"model_max_length\": 512}"]
        #expect(try Self.refusal(silent).reason == .undecidedCase)
    }

    @Test("tokenizer.json alone suffices, and its truncation and padding are not applied")
    func document() throws {
        let (tokenizer, specification) = try Self.load([
            "tokenizer.json": Self.document([
                "truncation": "{\"max_length\": 3, \"strategy\": \"LongestFirst\", \"stride\": 0}",
                "padding": "{\"strategy\": {\"Fixed\": 128}, \"pad_id\": 0}",
            ])
        ])
        #expect(try tokenizer.encode("A ab [CLS][SEP]").ids == [2, 5, 5, 6, 2, 1, 1, 1, 3])
        #expect(specification.addedTokens.map(\.content) == ["[CLS]"])
        #expect(tokenizer.padID == 0)
    }

    @Test("A setting that the named class would overrule is refused unless the class is told", arguments: [
        ("lowercase", "false", "\"do_lower_case\": false"), ("strip_accents", "false", "\"strip_accents\": false"),
        ("handle_chinese_chars", "false", "\"tokenize_chinese_chars\": false"), ("clean_text", "false", nil),
    ] as [(String, String, String?)])
    func overruled(setting: String, value: String, stated: String?) throws {
        var normalizer = ["clean_text": "true", "handle_chinese_chars": "true", "strip_accents": "null", "lowercase": "true"]
        normalizer[setting] = value
        let members = normalizer.sorted { $0.key < $1.key }.map { ", \"\($0)\": \($1)" }.joined()
        let document = Self.document(["normalizer": "{\"type\": \"BertNormalizer\"\(members)}"])
        func files(_ name: String, _ more: String? = nil) -> [String: String] {
            ["tokenizer.json": document, "tokenizer_config.json": "{\"tokenizer_class\": \"\(name)\"\(more.map { ", " + $0 } ?? "")}"]
        }
        for files in [files("BertTokenizer"), ["tokenizer.json": document]] {
            let error = try Self.refusal(files, modelType: "bert")
            #expect(error.reason == .conflict && error.description.contains("PreTrainedTokenizerFast"))
        }
        let free = try Self.load(files("PreTrainedTokenizerFast"), modelType: "bert").1
        #expect(try free.normalization != .init(lowercases: true) && Self.load(files("TokenizersBackend"), modelType: "bert").1 == free)
        if let stated { #expect(try Self.load(files("BertTokenizer", stated)).1.normalization == free.normalization) }
    }

    @Test("Accents that are stripped where letters are lower-cased are the class's default, said or not")
    func strippedAccents() throws {
        let normalizer = "{\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, \"strip_accents\": true, \"lowercase\": true}"
        let files = ["tokenizer.json": Self.document(["normalizer": normalizer]), "tokenizer_config.json": "{\"tokenizer_class\": \"BertTokenizer\"}"]
        #expect(try Self.load(files, modelType: "bert").1.normalization?.stripsAccents == true)
    }

    @Test("Lower-casing that the files disagree about is refused unless it is said")
    func caseConflict() throws {
        let files = ["tokenizer.json": Self.document(), "tokenizer_config.json": "{\n\"do_lower_case\": false}"]
        let error = try Self.refusal(files)
        #expect(error.reason == .conflict && error.line == 2)
        #expect(error.description.contains("--cased"))
        #expect(try Self.load(files, cased: true).1.normalization?.lowercases == false)
        #expect(try Self.load(files, cased: false).1.normalization?.lowercases == true)
    }

    @Test(
        "Kinds that are not known are refused",
        arguments: [
            ("model", "{\"type\": \"Unigram\", \"vocab\": []}"), ("model", "{\"type\": \"WordLevel\", \"vocab\": {}}"),
            ("model", "{\"vocab\": []}"), ("model", "null"), ("normalizer", "{\"type\": \"NFKC\"}"),
            (
                "normalizer",
                "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": \"Lowercase\"}]}"
            ),
            ("pre_tokenizer", "null"), ("pre_tokenizer", "{\"type\": \"Whitespace\"}"), ("post_processor", "null"),
            ("post_processor", "{\"type\": \"Mystery\"}"),
            (
                "post_processor",
                "{\"type\": \"TemplateProcessing\", \"single\": [], \"pair\": [], \"special_tokens\": {}}"
            ),
        ])
    func unknownKinds(part: String, text: String) throws {
        let error = try Self.refusal(["tokenizer.json": Self.document([part: text])])
        #expect(error.reason == .unsupported)
    }

    @Test(
        "Byte-level models with settings that change the ids are refused",
        arguments: [
            "\"dropout\": 0.1", "\"byte_fallback\": true", "\"ignore_merges\": true",
            "\"continuing_subword_prefix\": \"##\"", "\"end_of_word_suffix\": \"</w>\"",
        ])
    func unknownSettings(setting: String) throws {
        let vocabulary = try #require(Self.bpe()["vocab.json"])
        func document(_ setting: String, preTokenizer: String) -> String {
            Self.document([
                "normalizer": "null", "added_tokens": "[]", "pre_tokenizer": preTokenizer,
                "post_processor":
                    "{\"type\": \"RobertaProcessing\", \"sep\": [\"</s>\", 2], \"cls\": [\"<s>\", 0]}",
                "model": "{\"type\": \"BPE\", \(setting), \"vocab\": \(vocabulary), \"merges\": [[\"a\", \"b\"]]}",
            ])
        }
        let usual = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true}"
        #expect(try Self.refusal(["tokenizer.json": document(setting, preTokenizer: usual)]).reason == .unsupported)
        let fine = document("\"dropout\": null", preTokenizer: usual)
        #expect(try Self.load(["tokenizer.json": fine]).0.encode("ab").ids == [0, 260, 2])
        let other = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}"
        let error = try Self.refusal(["tokenizer.json": document("\"dropout\": null", preTokenizer: other)])
        #expect(error.reason == .unsupported)
    }

    @Test("vocab.json with merges.txt suffices; the mask takes no white space unless a file says so")
    func byteLevel() throws {
        let (tokenizer, specification) = try Self.load(Self.bpe())
        #expect(specification.kind == .byteLevelBPE && specification.vocabularyCount == 262)
        let space = try #require(tokenizer.id(of: "Ġ"))
        #expect(try tokenizer.encode("ab <mask>").ids == [0, 260, space, 261, 2])
        #expect(try tokenizer.encode("ab", pair: "ab").ids == [0, 260, 2, 2, 260, 2])
        var files = Self.bpe()
        files["special_tokens_map.json"] = """
            {"mask_token": {"content": "<mask>", "lstrip": true, "rstrip": false, "normalized": false,
             "single_word": false}}
            """
        #expect(try Self.load(files).0.encode("ab <mask>").ids == [0, 260, 261, 2])
    }

    @Test("A byte-level tokenizer cannot be uncased")
    func uncasedByteLevel() throws {
        #expect(try Self.refusal(Self.bpe(), cased: false).reason == .conflict)
        #expect(throws: Never.self) { try Self.load(Self.bpe(), cased: true) }
    }

    @Test("Broken vocabularies are refused with file and line")
    func brokenVocabularies() throws {
        func check(
            _ files: [String: String], _ reason: TokenizerError.Reason, _ file: String, line: Int,
            from place: SourceLocation = #_sourceLocation
        ) throws {
            let error = try Self.refusal(files, cased: true)
            #expect(
                error.reason == reason && error.file == file && error.line == line, "\(error)", sourceLocation: place)
        }
        try check(["vocab.txt": Self.vocabulary + "a\n"], .duplicateToken, "vocab.txt", line: 9)
        let json = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"].map { "\"\($0)\"" }
        func document(_ vocabulary: String) -> [String: String] {
            [
                "tokenizer.json": Self.document([
                    "added_tokens": "[]", "model": "{\"vocab\": \(vocabulary),\n\"max_input_chars_per_word\": 9}",
                ])
            ]
        }
        func vocabulary(_ ids: [String]) -> String {
            "{\n" + zip(json, ids).map { "\($0): \($1)" }.joined(separator: ",\n") + "}"
        }
        let first = 2  // "added_tokens" stands on line 1
        try check(
            document(vocabulary(["0", "1", "2", "3", "5"])), .nonContiguousIDs, "tokenizer.json", line: first + 5)
        try check(
            document(vocabulary(["0", "1", "2", "1", "4"])), .nonContiguousIDs, "tokenizer.json", line: first + 4)
        try check(
            document(vocabulary(["0", "1", "-1", "3", "4"])), .nonContiguousIDs, "tokenizer.json", line: first + 3)
        try check(
            document(vocabulary(["0", "1", "2.5", "3", "4"])), .nonContiguousIDs, "tokenizer.json", line: first + 3)
        let twice = "{\n\"a\": 0,\n\"a\": 1}"
        try check(document(twice), .duplicateToken, "tokenizer.json", line: first + 2)
        try check(Self.bpe(merges: "#version: 0.2\na b\na z\n"), .unknownMerge, "merges.txt", line: 3)
        try check(Self.bpe(merges: "a b\nxyz b\n"), .unknownMerge, "merges.txt", line: 2)
        try check(Self.bpe(merges: "a b\na b\n"), .duplicateMerge, "merges.txt", line: 2)
        try check(Self.bpe(merges: "a b\nabc\n"), .malformedMerges, "merges.txt", line: 2)
        try check(Self.bpe(merges: "a b c\n"), .malformedMerges, "merges.txt", line: 1)
        let invalid = try #require(throws: TokenizerError.self) {
            try TokenizerLoader.load(
                files: ["vocab.txt": Data("[PAD]\n".utf8 + [0xFF])], modelType: nil, cased: true)
        }
        #expect(invalid.reason == .invalidUTF8 && invalid.line == 2)
    }

    @Test("Missing special tokens are named", arguments: ["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    func missingTokens(token: String) throws {
        let text = Self.vocabulary.replacingOccurrences(of: token, with: "other")
        let error = try Self.refusal(["vocab.txt": text], cased: true)
        #expect(error.reason == .missingToken && error.description.contains(token))
    }

    @Test("A token that a file names must be there")
    func statedTokens() throws {
        let files = [
            "vocab.txt": Self.vocabulary,
            "tokenizer_config.json": "{\"do_lower_case\": true,\n\"mask_token\": \"[BLANK]\"}",
        ]
        let error = try Self.refusal(files)
        #expect(error.reason == .missingToken && error.file == "tokenizer_config.json" && error.line == 2)
    }

    @Test("Added tokens follow the vocabulary without gaps, or stand in it under their own id")
    func addedTokens() throws {
        func load(_ tokens: String) throws -> (any Tokenizer, TokenizerSpecification) {
            try Self.load(["vocab.txt": Self.vocabulary, "added_tokens.json": tokens], cased: true)
        }
        let (tokenizer, _) = try load("{\"<x>\": 8, \"<y>\": 9}")
        #expect(tokenizer.vocabularySize == 10)
        #expect(try tokenizer.encode("a<y><x>").ids == [2, 5, 9, 8, 3])
        for (text, reason) in [
            ("{\"<x>\": 9}", TokenizerError.Reason.nonContiguousIDs), ("{\"a\": 8}", .conflict),
            ("{\"<x>\": 7}", .nonContiguousIDs), ("{\"\": 8}", .duplicateToken),
        ] {
            let error = try #require(throws: TokenizerError.self) { try load(text) }
            #expect(error.reason == reason, "\(text)")
        }
    }

    @Test("A vocabulary file beside tokenizer.json must agree with it")
    func vocabularyConflict() throws {
        var files = ["tokenizer.json": Self.document(), "vocab.txt": Self.vocabulary]
        #expect(throws: Never.self) { try Self.load(files) }
        files["vocab.txt"] = Self.vocabulary.replacingOccurrences(of: "\na\n", with: "\nc\n")
        let error = try Self.refusal(files)
        #expect(error.reason == .conflict && error.file == "vocab.txt" && error.line == 6)
    }

    @Test("Without files, or with files of another kind of model, it is said what is missing")
    func missingFiles() throws {
        #expect(try Self.refusal([:]).reason == .missingFile)
        #expect(try Self.refusal(["vocab.json": "{}"]).reason == .missingFile)
        #expect(try Self.refusal(["vocab.txt": Self.vocabulary], modelType: "roberta").reason == .missingFile)
        #expect(try Self.refusal(["vocab.txt": Self.vocabulary], modelType: "t5").reason == .unsupported)
        var files = Self.bpe()
        files["tokenizer_config.json"] = "{\"tokenizer_class\": \"CLIPTokenizer\"}"
        #expect(try Self.refusal(files).reason == .unsupported)
        files["tokenizer_config.json"] = "{}"
        files["vocab.txt"] = Self.vocabulary
        #expect(try Self.refusal(files).reason == .conflict)
        #expect(try Self.load(files, modelType: "roberta").1.kind == .byteLevelBPE)
    }

    @Test("Damaged files never trap", arguments: 0..<8)
    func damaged(seed: Int) throws {
        var files = try Fixtures.document(seed % 2 == 0 ? "small-bert" : "small-roberta")
        let original = Array(files["tokenizer.json"]!)
        for round in 0..<40 {
            var bytes = original
            for _ in 0...round % 3 {
                let place = Int.random(in: bytes.indices)
                switch round % 4 {
                case 0: bytes[place] = UInt8.random(in: 0...255)
                case 1: bytes.removeSubrange(place...)
                case 2: bytes.removeSubrange(place..<min(place + 5, bytes.count))
                default: bytes.insert(contentsOf: "\"[]{},:0-9".utf8.shuffled().prefix(2), at: place)
                }
                if bytes.isEmpty { bytes = [0x7B] }
            }
            files["tokenizer.json"] = Data(bytes)
            do {
                let (tokenizer, _) = try TokenizerLoader.load(files: files, modelType: nil, cased: nil)
                _ = try tokenizer.encode("The fox <mask> [MASK] é", pair: "x")
            } catch is TokenizerError {
                continue
            }
        }
    }
}
