import Foundation
import Testing

@testable import Pipeline

@Suite struct JSONLinesTests {
    static func objects(_ text: String) throws -> [(Int, JSONObject)] {
        let scratch = Scratch()
        let reader = try JSONLines(scratch.write("a.jsonl", text))
        var objects: [(Int, JSONObject)] = []
        while let object = try reader.next() { objects.append((reader.line, object)) }
        return objects
    }

    @Test func `objects come with their lines`() throws {
        let objects = try Self.objects("{\"a\":\"x\"}\r\n {\"a\":\"y\"}\n")
        #expect(objects.map(\.0) == [1, 2])
        #expect(objects.map { $0.1["a"] } == [.string("x"), .string("y")])
    }

    @Test(
        arguments: [
            ("{\"a\":1}\n[1]\n", FormatReason.jsonNotObject, 2, nil), ("{\"a\":1}\n{\"a\":}\n", .jsonSyntax, 2, 13),
            ("{\"a\":1} {\"a\":2}\n", .jsonTrailingBytes, 1, 8), ("{\"a\":1,\"a\":2}\n", .jsonDuplicateKey, 1, 11),
            ("{\"a\":1}\n\n{\"a\":1}\n", .emptyLine, 2, nil), ("{\"a\":\n1}\n", .jsonSyntax, 1, 5),
        ] as [(String, FormatReason, Int, Int?)])
    func `a malformed line is refused with its line and byte`(
        text: String, reason: FormatReason, line: Int, byte: Int?
    ) throws {
        let error = try refusal { _ = try Self.objects(text) }
        #expect(error?.reason == reason, "\(error?.description ?? "accepted")")
        #expect(error?.line == line)
        if let byte { #expect(error?.byte == byte) }
    }
}
