import Foundation
import Testing

@testable import Tokenizers

@Suite struct UnicodeTablesTests {
    static let codes = (0..<UInt32(0x110000)).compactMap(Unicode.Scalar.init)

    static func expected(_ name: String) throws -> UInt32 {
        let node = try JSONReader.read(Fixtures.data("unicode-digests.json"), file: "unicode-digests.json")
        return UInt32(try #require(node["crc32"]?[name]?.integer))
    }

    @Test("The normaliser does to every code point what the reference does", arguments: 0..<16)
    func normalization(bits: Int) throws {
        let flags = (0..<4).map { bits >> (3 - $0) & 1 == 1 }
        let normalizer = BertNormalizer(
            .init(cleansText: flags[0], separatesChinese: flags[1], stripsAccents: flags[2], lowercases: flags[3]))
        var found = CRC32()
        var scratch = EncodingScratch()
        for code in Self.codes {
            let text = [UInt8(ascii: "A")] + UTF8.encode(code)! + [UInt8(ascii: "B")]
            text.withUnsafeBufferPointer { normalizer.normalize($0, base: 0, into: &scratch) }
            for index in 0..<scratch.text.count { found.add(scratch.text.base[index]) }
            found.add(UInt8(ascii: "\n"))
        }
        let name = flags.map { $0 ? "1" : "0" }.joined()
        #expect(try found.value == Self.expected("normalizer \(name)"))
    }

    /// Where the engine's words end, in characters; each word gives one token.
    private static func wordEnds(_ engine: any TextEngine, _ forms: [String]) -> UInt32 {
        var found = CRC32()
        var scratch = EncodingScratch()
        let parts = forms.map { form in form.components(separatedBy: "{}").map { Array($0.utf8) } }
        for code in codes {
            let character = Array(UTF8.encode(code)!)
            for part in parts {
                scratch.tokens.count = 0
                let text = part[0] + character + part[1]
                text.withUnsafeBufferPointer { engine.append($0, base: 0, to: &scratch) }
                for index in 0..<scratch.tokens.count {
                    if index > 0 { found.add(UInt8(ascii: " ")) }
                    let end = Int(scratch.tokens.base[index].end)
                    // All texts are shorter than ten characters.
                    found.add(UInt8(ascii: "0") + UInt8(text[..<end].count { !UTF8Text.isContinuation($0) }))
                }
                found.add(UInt8(ascii: "\n"))
            }
        }
        return found.value
    }

    @Test("BERT's pre-tokenizer splits at every code point as the reference does")
    func bertWords() throws {
        var specification = TokenizerSpecification(
            kind: .wordPiece, template: .bert(cls: 0, sep: 0), namedTokens: [:], vocabularyCount: 1)
        specification.normalization = nil
        let vocabulary = try Vocabulary([Array("[UNK]".utf8)], file: nil) { _ in nil }
        let engine = WordPieceEngine(specification, vocabulary: vocabulary, unknown: 0)
        #expect(try Self.wordEnds(engine, ["A{}B"]) == Self.expected("bert pre-tokenizer"))
    }

    @Test("The byte-level expression splits at every code point as the reference does")
    func byteLevelWords() throws {
        var specification = TokenizerSpecification(
            kind: .byteLevelBPE, template: .roberta(cls: 0, sep: 0), namedTokens: [:], vocabularyCount: 1)
        specification.trimsOffsets = false
        let merges = BytePairEncoding(
            byteIDs: Array(repeating: -1, count: 256), table: MergeTable([]), unknown: 0, fusesUnknown: true)
        let engine = ByteLevelEngine(specification, merges: merges)
        let forms = ["A{}B", "1{}2", "!{}!", " {} ", "'{}s"]
        #expect(try Self.wordEnds(engine, forms) == Self.expected("byte-level pre-tokenizer"))
    }

    @Test("Hangul syllables decompose by arithmetic, others by the table")
    func decompositions() {
        let tables = UnicodeTables.shared
        #expect(tables.decomposition(0xAC00) == [0x1100, 0x1161])
        #expect(tables.decomposition(0xAC01) == [0x1100, 0x1161, 0x11A8])
        #expect(tables.decomposition(0x1E69) == [0x73, 0x323, 0x307])
        #expect(tables.decomposition(0x61) == [0x61])
    }
}
