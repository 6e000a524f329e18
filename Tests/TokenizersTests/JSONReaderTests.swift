import Foundation
import Testing

@testable import Tokenizers

@Suite struct JSONReaderTests {
    static func read(_ text: String) throws -> JSONNode { try JSONReader.read(Data(text.utf8), file: "a.json") }

    @Test("Values come with the line they start on, names stay apart by bytes")
    func values() throws {
        let node = try Self.read(
            "{\"a\": [1, -2.5e3, true],\n \"e\\u0301\": \"\\ud83d\\ude00\\n\\/\",\n\"é\": null, \"b\": {}}")
        #expect(node["a"]?.elements?[0].integer == 1)
        #expect(node["a"]?.elements?[1].double == -2500)
        #expect(node["a"]?.elements?[2].bool == true)
        #expect(node["e\u{301}"]?.bytes == Array("😀\n/".utf8))
        #expect(node["e\u{301}"]?.line == 2)
        #expect(node["é"]?.isNull == true)
        #expect(node["é"]?.line == 3)
        #expect(node["b"]?.members?.isEmpty == true)
    }

    @Test(
        "What is not JSON is refused with its line",
        arguments: [
            "", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "\"", "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"",
            "\"\\udc00\"", "\"\\u12g4\"", "\"\\u12\"", "01", "-", "1.", "1e", "nul", "1 2", "[1] ]",
            "{\"a\":1,\"a\":2}",
            "\"a\u{1}\"", "// no\n1", "+1", ".5",
        ])
    func refused(text: String) throws {
        let error = try #require(throws: TokenizerError.self) { try Self.read("\n\n" + text) }
        #expect(error.reason == .malformedJSON)
        #expect((error.line ?? 0) >= 3 && error.file == "a.json")
    }

    @Test("A byte order mark is no part of the value, anywhere else it is refused")
    func byteOrderMark() throws {
        #expect(try Self.read("\u{FEFF}[1]").elements?.count == 1)
        #expect(throws: TokenizerError.self) { try Self.read("\u{FEFF}\u{FEFF}[1]") }
    }

    @Test("Endless nesting is refused before the stack is")
    func depth() throws {
        let error = try #require(throws: TokenizerError.self) {
            try Self.read(String(repeating: "[", count: 1_000_000))
        }
        #expect(error.found?.contains("more than 64 levels") == true)
    }

    @Test("Names may repeat only where the caller looks at them itself")
    func repeatedNames() throws {
        let data = Data("{\"vocab\": {\"a\": 0, \"a\": 1}}".utf8)
        #expect(try JSONReader.read(data, file: "a", repeatable: "vocab")["vocab"]?.members?.count == 2)
        let vocabulary = Data("{\"a\": {\"b\": 0, \"b\": 1}, \"c\": 0}".utf8)
        for (data, repeatable) in [(data, nil), (data, ""), (vocabulary, ""), (Data("[{\"a\": 0, \"a\": 1}]".utf8), "")] {
            let error = try #require(throws: TokenizerError.self) { try JSONReader.read(data, file: "a", repeatable: repeatable) }
            #expect(error.found?.contains("stands twice") == true)
        }
        #expect(try JSONReader.read(Data("{\"a\": 0, \"a\": 1}".utf8), file: "a", repeatable: "").members?.count == 2)
    }

    @Test("Written and read again, nothing has changed")
    func writing() throws {
        let text = String((0..<0x300).compactMap { Unicode.Scalar($0 as UInt32) }.map(Character.init)) + "\"\\😀\u{2028}"
        let node = JSONNode.object([
            (text, .array([.string(text), .number(-12), .bool(false), .null])), ("empty", .array([])),
        ])
        for depth in 0..<3 {
            let read = try JSONReader.read(Data(node.serialized(indentingTo: depth)), file: "a")
            #expect(read.members?[0].key == Array(text.utf8))
            #expect(read.members?[0].value.elements?[0].bytes == Array(text.utf8))
            #expect(read.members?[0].value.elements?[1].integer == -12)
            #expect(read["empty"]?.elements?.isEmpty == true)
        }
    }
}
