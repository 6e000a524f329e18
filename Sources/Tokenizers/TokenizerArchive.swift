import Foundation
import JSON

/// The canonical serialised form of a tokenizer: equal tokenizers have equal bytes.
public struct TokenizerArchive: Sendable, Hashable {
    public var specification: TokenizerSpecification
    /// The tokens in the order of their ids in UTF-8, each followed by a line feed.
    public var vocabulary: Data
    /// Merges in the order of their ranks, two tokens with a space between, each followed by a line feed.
    /// Of byte-level BPE only.
    public var merges: Data?

    public init(specification: TokenizerSpecification, vocabulary: Data, merges: Data?) {
        self.specification = specification
        self.vocabulary = vocabulary
        self.merges = merges
    }

    init(_ specification: TokenizerSpecification, tokens: [ArraySlice<UInt8>], mergeLines: [UInt8]?) {
        var text: [UInt8] = []
        for token in tokens {
            text += token
            text.append(UInt8(ascii: "\n"))
        }
        self.init(specification: specification, vocabulary: Data(text), merges: mergeLines.map { Data($0) })
    }

    /// The specification as JSON with sorted keys.
    public func specificationData() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(specification)
    }

    /// Reads `specificationData` back.
    public init(specificationData: Data, vocabulary: Data, merges: Data?) throws {
        do {
            let specification = try JSONDecoder().decode(TokenizerSpecification.self, from: specificationData)
            self.init(specification: specification, vocabulary: vocabulary, merges: merges)
        } catch let error as DecodingError {
            throw TokenizerError(.malformedJSON, "reading a tokenizer's specification", found: "\(error)")
        }
    }

    /// Rebuilds the tokenizer.
    ///
    /// Throws what reading the files would have thrown: the archive is not trusted to be whole.
    public func makeTokenizer() throws -> any Tokenizer {
        let tokens = try lines(vocabulary, file: "vocabulary")
        guard tokens.count == specification.vocabularyCount else {
            throw TokenizerError(
                .conflict, "rebuilding a tokenizer", file: "vocabulary",
                expected: "\(specification.vocabularyCount) tokens", found: "\(tokens.count)")
        }
        var merges: [TokenizerDraft.Merge] = []
        for (index, line) in try lines(self.merges ?? Data(), file: "merges").enumerated() {
            merges.append(try TokenizerDraft.Merge(line, file: "merges", line: index + 1))
        }
        return try TokenizerDraft(
            specification: specification, tokens: tokens.enumerated().map { .init(bytes: $1, line: $0 + 1) },
            merges: merges, vocabularyFile: "vocabulary", mergesFile: "merges"
        ).makeTokenizer()
    }

    private func lines(_ data: Data, file: String) throws -> [[UInt8]] {
        guard !data.isEmpty else { return [] }
        let bytes = [UInt8](data)
        if let place = bytes.withUnsafeBufferPointer(UTF8Validation.firstInvalid) {
            throw TokenizerError(
                .invalidUTF8, "rebuilding a tokenizer", file: file,
                line: 1 + bytes[..<place].count { $0 == UInt8(ascii: "\n") }, expected: "UTF-8")
        }
        guard bytes.last == UInt8(ascii: "\n") else {
            throw TokenizerError(
                .conflict, "rebuilding a tokenizer", file: file, expected: "a line feed at the end",
                found: "a cut line")
        }
        return bytes.dropLast().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
    }
}
