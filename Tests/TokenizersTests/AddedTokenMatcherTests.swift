import Testing

@testable import Tokenizers

@Suite struct AddedTokenMatcherTests {
    /// The parts of `text`: gaps as they are, matches with their ids.
    static func split(_ text: String, _ tokens: [AddedToken]) -> [String] {
        let matcher = AddedTokenMatcher(tokens.map { (Array($0.content.utf8), $0) })
        var parts: [String] = []
        var text = text
        text.withUTF8 { bytes in
            func part(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
            var found: [String] = []
            matcher.split(bytes) {
                found.append(part($0))
            } match: {
                found.append("\($0.id):\(part($0.range))")
            }
            parts = found
        }
        return parts
    }

    @Test("The leftmost token wins, and the longest of those that start there")
    func longest() {
        let tokens = ["ab", "abcd", "bcde"].enumerated().map { AddedToken(id: Int32($0), content: $1) }
        #expect(Self.split("xabcde", tokens) == ["x", "1:abcd", "e"])
        #expect(Self.split("abcabbcde", tokens) == ["0:ab", "c", "0:ab", "2:bcde"])
        #expect(Self.split("", tokens) == [])
        #expect(Self.split("none", []) == ["none"])
    }

    @Test("Stripping tokens swallow white space of every kind, but none twice")
    func stripping() {
        let left = AddedToken(id: 1, content: "<l>", stripsLeft: true)
        let right = AddedToken(id: 2, content: "<r>", stripsRight: true)
        #expect(Self.split("a \u{3000}<l> b", [left, right]) == ["a", "1: \u{3000}<l>", " b"])
        #expect(Self.split("a <r>\u{A0}\nb", [left, right]) == ["a ", "2:<r>\u{A0}\n", "b"])
        #expect(Self.split("<r> <l>", [left, right]) == ["2:<r> ", "1:<l>"])
    }

    @Test("Single words need something other than a word character on both sides")
    func singleWords() {
        let tokens = [AddedToken(id: 1, content: "fox", singleWord: true)]
        #expect(Self.split("fox, foxes firefox é.fox", tokens) == ["1:fox", ", foxes firefox é.", "1:fox"])
        #expect(Self.split("éfox fox_ fox", tokens) == ["éfox fox_ ", "1:fox"])
    }
}
