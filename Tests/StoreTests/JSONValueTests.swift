import Foundation
import Testing

@testable import Store

@Suite struct JSONValueTests {
    @Test func `writes one canonical form`() throws {
        let value: JSONValue = [
            "z": [1, -2, 0.1, 1e300, 3.0], "a": ["\"\\\n\u{1}é": nil], "é": true, "Z": false, "": "x",
        ]
        #expect(
            try value.canonicalText()
                == #"{"":"x","Z":false,"a":{"\"\\\n\u0001é":null},"z":[1,-2,0.1,1e+300,3.0],"é":true}"#)
    }

    @Test func `reads back what it wrote`() throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<500 {
            let value = Self.random(depth: 0, &generator)
            let bytes = try value.canonicalBytes()
            #expect(try JSONValue(parsing: bytes) == value)
            #expect(try JSONValue(parsing: bytes).canonicalBytes() == bytes)
        }
    }

    private static func random(depth: Int, _ generator: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<(depth > 3 ? 5 : 7), using: &generator) {
        case 0: return nil
        case 1: return .bool(Bool.random(using: &generator))
        case 2: return .integer(Int64(bitPattern: generator.next()))
        case 3:
            let number = Double(bitPattern: generator.next())
            return .number(number.isFinite ? number : 0.5)
        case 4:
            let scalars = (0..<4).compactMap { _ in Unicode.Scalar(UInt32.random(in: 0..<0x11_0000, using: &generator))
            }
            return .string(String(String.UnicodeScalarView(scalars)))
        case 5: return .array((0..<3).map { _ in random(depth: depth + 1, &generator) })
        default:
            return .object(
                Dictionary((0..<3).map { ("k\($0)", random(depth: depth + 1, &generator)) }) { first, _ in first })
        }
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "[1 2]", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "{a:1}", "{\"a\" 1}", "01", "1.", ".5", "+1",
        "-",
        "1e", "1e400", "nul", "truee", "9223372036854775808", "\"", "\"\\x\"", "\"\\u12\"", "\"\\u+123\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\u{1}\"", "1 1", "NaN", "Infinity", "{\"\\u00e9\":1,\"e\\u0301\":2}",
        String(repeating: "[", count: 70) + String(repeating: "]", count: 70), String(repeating: "[", count: 100_000),
    ])
    func `refuses what is not strict JSON`(_ text: String) throws {
        #expect(try code { _ = try JSONValue(parsing: text) } == .invalidJSON)
    }

    @Test func `refuses bytes that are not UTF-8`() throws {
        #expect(try code { _ = try JSONValue(parsing: [0x22, 0xff, 0x22]) } == .invalidJSON)
    }

    @Test func `refuses to write a number that is not finite`() throws {
        #expect(try code { _ = try JSONValue.number(.nan).canonicalBytes() } == .invalidJSON)
    }

    @Test func `takes escapes and spaces`() throws {
        let text = " { \"a\" : [ \"\\u00e9\\ud83d\\ude00\\/\\b\\f\" , 1E2 , -0 ] }\r\n\t"
        #expect(try JSONValue(parsing: text) == ["a": ["é😀/\u{8}\u{c}", 100.0, 0]])
    }

    @Test func `goes through Codable both ways`() throws {
        struct Recipe: Codable, Equatable {
            var rate = 1e-4
            var steps = 3
            var names = ["a", "b"]
        }
        let json = try JSONValue(encoding: Recipe())
        #expect(json["steps"] == 3)
        #expect(try json.decode(as: Recipe.self) == Recipe())
        let data = try JSONEncoder().encode(json)
        #expect(try JSONDecoder().decode(JSONValue.self, from: data) == json)
    }
}
