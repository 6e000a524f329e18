import Foundation
import Testing

@testable import Tokenizers

@Suite struct TokenizerArchiveTests {
    static let texts = ["The quick brown fox's [MASK] <mask> É 中国", " foxes  over overt <left> <right> x", ""]

    @Test("A tokenizer rebuilt from its archive is the same", arguments: SequenceTokenizerTests.names)
    func rebuilding(name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        let archive = tokenizer.archive
        let data = try archive.specificationData()
        let read = try TokenizerArchive(
            specificationData: data, vocabulary: archive.vocabulary, merges: archive.merges)
        #expect(read == archive)
        #expect(try read.specificationData() == data)
        let rebuilt = try read.makeTokenizer()
        #expect(rebuilt.archive == archive)
        for text in Self.texts {
            #expect(
                try rebuilt.encode(text, pair: text, maxLength: 20) == tokenizer.encode(text, pair: text, maxLength: 20)
            )
        }
    }

    @Test("A cut or changed archive is refused", arguments: SequenceTokenizerTests.names)
    func damage(name: String) throws {
        let archive = try Fixtures.tokenizer(name).archive
        var cut = archive
        cut.vocabulary.removeLast()
        #expect(throws: TokenizerError.self) { try cut.makeTokenizer() }
        cut.vocabulary = archive.vocabulary + Data("more\n".utf8)
        #expect(throws: TokenizerError.self) { try cut.makeTokenizer() }
        cut.vocabulary = Data([0xFF, 0x0A])
        #expect(throws: TokenizerError.self) { try cut.makeTokenizer() }
        let error = try #require(throws: TokenizerError.self) {
            try TokenizerArchive(specificationData: Data("{}".utf8), vocabulary: Data(), merges: nil)
        }
        #expect(error.reason == .malformedJSON)
    }
}
