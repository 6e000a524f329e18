import Foundation
import Testing

@testable import Pipeline

@Suite struct JSONTreeTests {
    static func parse(_ text: String) throws -> JSONTree { try JSONTree(parsing: Array(text.utf8), file: "a.json") }

    @Test func `every kind of value is read`() throws {
        let value = try Self.parse(" {\"a\": [1, -2.5e3, true, false, null, \"x\"], \"b\": {}} \n")
        guard case .object(let object) = value, case .array(let elements)? = object["a"] else {
            Issue.record("not the object")
            return
        }
        #expect(object.members.map(\.key) == ["a", "b"])
        #expect(elements.count == 6)
        guard case .number(let number) = elements[1] else {
            Issue.record("not a number")
            return
        }
        #expect(number.double == -2500)
        #expect(number.integer == nil)
        #expect(Array(elements[2...]) == [.boolean(true), .boolean(false), .null, .string("x")])
    }

    @Test func `escapes are resolved, surrogate pairs included`() throws {
        #expect(try Self.parse(#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é""#) == .string("\"\\/\u{8}\u{C}\n\r\t\u{E9}😀é"))
    }

    @Test func `numbers keep their digits`() throws {
        guard case .number(let number) = try Self.parse("9223372036854775807") else {
            Issue.record("no number")
            return
        }
        #expect(number.integer == Int.max)
        guard case .number(let larger) = try Self.parse("9223372036854775808") else {
            Issue.record("no number")
            return
        }
        #expect(larger.integer == nil && larger.double == 9_223_372_036_854_775_808)
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}", "01", "1.", ".5", "-",
        "+1", "1e",
        "NaN", "Infinity", "-Infinity", "nul", "True", "\"", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\ud800\"",
        "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"a\nb\"", "\"a\tb\"", "\u{FEFF}1",
    ])
    func `text that is not JSON is refused`(text: String) throws {
        let error = try refusal { _ = try Self.parse(text) }
        #expect(error?.reason == .jsonSyntax, "\(error?.description ?? "accepted")")
        #expect(error?.byte != nil)
    }

    @Test func `other faults have reasons of their own`() throws {
        let cases: [(String, FormatReason, Int)] = [
            ("{\"a\":1,\"a\":1}", .jsonDuplicateKey, 11), ("{\"a\":{\"b\":1,\"\\u0062\":2}}", .jsonDuplicateKey, 21),
            ("1 2", .jsonTrailingBytes, 2), ("0x10", .jsonTrailingBytes, 1), ("[] x", .jsonTrailingBytes, 3),
            ("1e999", .jsonNumberRange, 0),
            (String(repeating: "9", count: 600), .jsonNumberRange, 0),
            (String(repeating: "[", count: 65) + String(repeating: "]", count: 65), .jsonTooDeep, 65),
        ]
        for (text, reason, byte) in cases {
            let error = try refusal { _ = try Self.parse(text) }
            #expect(error?.reason == reason, "\(text)")
            #expect(error?.byte == byte, "\(text)")
        }
        _ = try Self.parse(String(repeating: "[", count: 64) + String(repeating: "]", count: 64))
    }

    @Test func `invalid UTF-8 is refused with its byte`() throws {
        let error = try refusal { _ = try JSONTree(parsing: [0x22, 0x61, 0xC3, 0x22], file: "a.json") }
        #expect(error?.reason == .invalidUTF8)
        #expect(error?.byte == 2)
    }

    @Test func `a value that is written reads back`() throws {
        let value = try Self.parse("{\"a\\u0001\\n\": [1, 2.5, {\"b\": []}], \"c\": {}, \"d\": \"é\\\"\"}")
        #expect(try Self.parse(JSONText.pretty(value)) == value)
    }
}
