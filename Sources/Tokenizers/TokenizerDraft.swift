/// What was read about a tokenizer, with the lines it was read from; checked as a whole when the tokenizer is made.
struct TokenizerDraft {
    struct Token {
        var bytes: [UInt8]
        /// Counted from 1; 0 where the file has no lines.
        var line: Int
    }

    struct Merge {
        var left: [UInt8]
        var right: [UInt8]
        var line: Int

        init(left: [UInt8], right: [UInt8], line: Int) {
            self.left = left
            self.right = right
            self.line = line
        }

        /// Throws `malformed-merges` unless `text` is two tokens with one space between.
        init(_ text: [UInt8], file: String, line: Int) throws {
            let parts = text.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw TokenizerError(
                    .malformedMerges, "reading the merges", file: file, line: line,
                    expected: "two tokens with one space between", found: Vocabulary.quoted(text))
            }
            self.init(left: Array(parts[0]), right: Array(parts[1]), line: line)
        }
    }

    var specification: TokenizerSpecification
    /// In the order of their ids.
    var tokens: [Token]
    var merges: [Merge]
    var vocabularyFile: String
    var mergesFile: String

    /// Checks everything against everything and builds the tokenizer.
    func makeTokenizer() throws -> any Tokenizer {
        for token in tokens where token.bytes.contains(where: { $0 == UInt8(ascii: "\n") || $0 == 0x0D }) {
            throw TokenizerError(
                .unwritableToken, "reading the vocabulary", file: vocabularyFile, line: token.line,
                expected: "tokens without line breaks", found: Vocabulary.quoted(token.bytes))
        }
        let vocabulary = try Vocabulary(tokens.map(\.bytes), file: vocabularyFile) { tokens[$0].line }
        var specification = specification
        specification.vocabularyCount = vocabulary.count
        try checkAddedTokens(&specification, vocabulary)
        func id(_ token: String) -> Int32? {
            specification.addedTokens.first { $0.content.utf8.elementsEqual(token.utf8) }?.id
                ?? vocabulary.id(token.utf8)
        }
        func required(_ name: String) throws -> Int32 {
            guard let token = specification.namedTokens[name], let id = id(token) else {
                throw missing(name, specification.namedTokens[name])
            }
            return id
        }
        guard specification.template.isComplete else {
            throw TokenizerError(
                .unsupported, "building a tokenizer", expected: "a template that names each text once",
                found: "\(specification.template)")
        }
        let total = vocabulary.count + specification.addedTokens.count { Int($0.id) >= vocabulary.count }
        for case let id? in (specification.template.single + specification.template.pair).map(\.id)
        where id < 0 || Int(id) >= total {
            throw TokenizerError(
                .missingToken, "building a tokenizer", expected: "template ids below \(total)", found: "\(id)")
        }
        let pad = try required("pad_token")
        var unknown: Int32?
        if let token = specification.unknownToken {
            guard let found = vocabulary.id(token.utf8) else { throw missing("unk_token", token) }
            unknown = found
        }
        switch specification.kind {
        case .wordPiece:
            guard let unknown else { throw missing("unk_token", nil) }
            return SequenceTokenizer(
                specification, vocabulary: vocabulary,
                engine: WordPieceEngine(specification, vocabulary: vocabulary, unknown: unknown), padID: pad,
                mergeLines: nil)
        case .byteLevelBPE:
            let encoding = BytePairEncoding(
                byteIDs: (0..<256).map { vocabulary.id(ByteAlphabet.token(UInt8($0))) ?? -1 },
                table: try mergeTable(vocabulary), unknown: unknown, fusesUnknown: specification.fusesUnknown)
            return SequenceTokenizer(
                specification, vocabulary: vocabulary, engine: ByteLevelEngine(specification, merges: encoding),
                padID: pad, mergeLines: merges.flatMap { $0.left + [0x20] + $0.right + [0x0A] })
        }
    }

    private func missing(_ name: String, _ token: String?) -> TokenizerError {
        let family: TokenizerFamily = specification.kind == .wordPiece ? .bert : .roberta
        let expected = token ?? family.defaultNames[name] ?? ""
        return TokenizerError(
            .missingToken, "reading the vocabulary", file: vocabularyFile,
            expected: "\(name) \(Vocabulary.quoted(expected.utf8))",
            found: "no such token among \(tokens.count)")
    }

    /// Each added token is in the vocabulary under its id, or its id follows the vocabulary without a gap.
    private func checkAddedTokens(_ specification: inout TokenizerSpecification, _ vocabulary: Vocabulary) throws {
        specification.addedTokens.sort { $0.id < $1.id }
        var next = vocabulary.count
        var seen: Set<[UInt8]> = []
        for token in specification.addedTokens {
            let quoted = Vocabulary.quoted(token.content.utf8)
            guard !token.content.isEmpty, seen.insert(Array(token.content.utf8)).inserted else {
                throw TokenizerError(
                    .duplicateToken, "reading the added tokens", expected: "each token once and not empty",
                    found: quoted)
            }
            if let id = vocabulary.id(token.content.utf8) {
                guard id == token.id else {
                    throw TokenizerError(
                        .conflict, "reading the added tokens", expected: "\(quoted) with its id \(id)",
                        found: "the id \(token.id)")
                }
            } else {
                guard token.id == next else {
                    throw TokenizerError(
                        .nonContiguousIDs, "reading the added tokens", expected: "the id \(next) for \(quoted)",
                        found: "\(token.id)")
                }
                next += 1
            }
        }
    }

    private func mergeTable(_ vocabulary: Vocabulary) throws -> MergeTable {
        var seen: Set<UInt64> = []
        let table = try merges.map { merge in
            func id(_ token: [UInt8]) throws -> Int32 {
                guard let id = vocabulary.id(token) else {
                    throw TokenizerError(
                        .unknownMerge, "reading the merges", file: mergesFile, line: merge.line,
                        expected: "tokens of the vocabulary", found: Vocabulary.quoted(token))
                }
                return id
            }
            let (left, right) = (try id(merge.left), try id(merge.right))
            guard seen.insert(UInt64(left) << 32 | UInt64(right)).inserted else {
                throw TokenizerError(
                    .duplicateMerge, "reading the merges", file: mergesFile, line: merge.line,
                    expected: "each pair once",
                    found: "\(Vocabulary.quoted(merge.left)) and \(Vocabulary.quoted(merge.right)) again")
            }
            return (left, right, try id(merge.left + merge.right))
        }
        return MergeTable(table)
    }
}
