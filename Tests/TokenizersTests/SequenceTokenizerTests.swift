import Foundation
import Testing

@testable import Tokenizers

@Suite struct SequenceTokenizerTests {
    static let names = [
        "small-bert uncased", "small-bert cased", "small-roberta", "small-bert added", "small-roberta added",
    ]

    @Test("Ids, types and offsets equal the reference's on the committed sample", arguments: names)
    func golden(name: String) throws {
        let golden = try JSONReader.read(Fixtures.data("golden.json"), file: "golden.json")
        let texts = try #require(golden["texts"]?.elements)
        let tokenizer = try Fixtures.tokenizer(name)
        var checked = 0
        for row in try #require(golden["cases"]?.elements) where row["tokenizer"]?.text == name {
            let text = try #require(row["text"]?.integer.flatMap { texts[$0].text })
            let parts = text.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let found = try tokenizer.encode(
                parts[0], pair: parts.count > 1 ? parts[1] : nil, maxLength: row["length"]?.integer)
            let expected = try #require(row["ids"]?.elements).map { Int32($0.integer!) }
            #expect(found.ids == expected, "\(text.debugDescription)")
            #expect(tokenizer.places(of: found) == UInt32(row["places"]!.integer!), "\(text.debugDescription)")
            #expect(found.typeIDs.count == expected.count && found.offsets.count == expected.count)
            checked += 1
        }
        #expect(checked > 70)
    }

    @Test("A second time, from the word cache, the result is the same", arguments: names)
    func cached(name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        let texts = ["The quick brown fox's über-fox, naïve 中国 unaffable!", "x", "", " \u{301}é fox"]
        let first = try texts.map { try tokenizer.encode($0, pair: $0) }
        let fresh = try Fixtures.tokenizer(name)
        for (text, expected) in zip(texts, first).reversed() {
            #expect(try tokenizer.encode(text, pair: text) == expected)
            #expect(try fresh.encode(text, pair: text) == expected)
        }
    }

    @Test("Many tasks may use one tokenizer at once")
    func concurrent() async throws {
        let tokenizer = try Fixtures.tokenizer("small-bert uncased")
        let texts = (0..<200).map { "word\($0) the quick fox number \($0 * 7919) jumps" }
        let expected = try texts.map { try tokenizer.encode($0) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for (text, encoding) in zip(texts, expected) where try tokenizer.encode(text) != encoding {
                        return false
                    }
                    return true
                }
            }
            for try await isEqual in group { #expect(isEqual) }
        }
    }

    @Test("Invalid UTF-8 is refused with its offset, whichever text holds it")
    func invalid() throws {
        let tokenizer = try Fixtures.tokenizer("small-roberta")
        let bad: [UInt8] = [0x61, 0x62, 0xC0, 0xAF]
        let good: [UInt8] = [0x61]
        var encoding = Encoding()
        try bad.withUnsafeBufferPointer { bad in
            try good.withUnsafeBufferPointer { good in
                for (text, pair) in [(bad, nil), (bad, good), (good, bad)] {
                    let error = try #require(throws: TokenizerError.self) {
                        try tokenizer.encode(utf8: text, pair: pair, maxLength: nil, into: &encoding)
                    }
                    #expect(error.reason == .invalidUTF8)
                    #expect(error.description.contains("offset 2"))
                }
            }
        }
    }

    @Test("A maximum length without room for the template is refused; one with room for it alone is not")
    func shortLimits() throws {
        let tokenizer = try Fixtures.tokenizer("small-roberta")
        for (pair, least) in [(nil, 2), ("b", 4)] as [(String?, Int)] {
            #expect(tokenizer.templateLength(isPair: pair != nil) == least)
            let error = try #require(throws: TokenizerError.self) {
                try tokenizer.encode("a", pair: pair, maxLength: least - 1)
            }
            #expect(error.reason == .maximumLengthTooSmall)
            let encoding = try tokenizer.encode("a", pair: pair, maxLength: least)
            #expect(encoding.ids.count == least && encoding.wasTruncated)
        }
        #expect(try tokenizer.encode("a", maxLength: 3).wasTruncated == false)
    }

    @Test("Words of 10,000 characters and texts of a million take their course", arguments: names)
    func long(name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        let word = String(repeating: "ab", count: 5000)
        let encoding = try tokenizer.encode("x \(word) y")
        #expect(encoding.offsets.map(\.upperBound).max() == 10_004)
        let text = String(repeating: "the fox é ", count: 100_000)
        let one = try tokenizer.encode("the fox é ").ids.count - 2
        #expect(try tokenizer.encode(text).ids.count >= 100_000 * (one - 1))
    }

    @Test("Tokens and ids lead to each other, compared by bytes")
    func lookup() throws {
        for name in Self.names {
            let tokenizer = try Fixtures.tokenizer(name)
            for id in 0..<Int32(tokenizer.vocabularySize) {
                let token = try #require(tokenizer.token(id))
                #expect(tokenizer.id(of: token) == id)
            }
            #expect(tokenizer.token(-1) == nil && tokenizer.token(Int32(tokenizer.vocabularySize)) == nil)
        }
        let tokenizer = try Fixtures.tokenizer("small-bert cased")
        #expect(tokenizer.id(of: "é") != nil)
        #expect(tokenizer.id(of: "e\u{301}") == nil)
        #expect(tokenizer.padID == tokenizer.id(of: "[PAD]"))
    }
}
