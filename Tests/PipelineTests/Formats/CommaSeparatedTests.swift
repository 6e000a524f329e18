import Foundation
import Testing

@testable import Pipeline

@Suite struct CommaSeparatedTests {
    static func rows(_ text: String) throws -> [[String]] {
        let scratch = Scratch()
        let reader = try CommaSeparated(scratch.write("a.csv", text), hasHeader: true)
        var rows: [[String]] = []
        while try reader.advance() { rows.append((0..<reader.fieldCount).map { reader.text($0) }) }
        return rows
    }

    @Test(
        arguments: [
            ("x,y", ["x", "y"]), (",", ["", ""]), ("\"\",\"\"", ["", ""]), ("\"x,y\",z", ["x,y", "z"]),
            ("\"a \"\"b\"\" c\",z", ["a \"b\" c", "z"]), ("\"x\ny\",z", ["x\ny", "z"]),
            ("\"x\r\n\r\ny\",z", ["x\r\n\r\ny", "z"]),
            (" x , y ", [" x ", " y "]), ("\"\"\"\",é", ["\"", "é"]), ("z,\"last\n\"", ["z", "last\n"]),
        ] as [(String, [String])])
    func `a record is read as RFC 4180 has it`(record: String, expected: [String]) throws {
        for (before, after) in [("a,b\n", "\n"), ("\u{FEFF}a,b\r\n", "\r\n"), ("a,b\n", ""), ("\"a\",\"b\"\n", "\n\n")]
        {
            let rows = try Self.rows(before + record + after)
            #expect(rows.map { $0.map { Array($0.utf8) } } == [expected.map { Array($0.utf8) }])
        }
    }

    @Test func `line numbers count the lines inside quotes`() throws {
        let scratch = Scratch()
        let text = "a,b\n\"x\n\ny\",1\nz,2\n"
        let reader = try CommaSeparated(scratch.write("a.csv", text), hasHeader: true)
        var lines: [Int] = []
        while try reader.advance() { lines.append(reader.line) }
        #expect(lines == [2, 5])
        let error = try refusal { _ = try Self.rows(text + "w\n") }
        #expect(error?.reason == .fieldCount)
        #expect(error?.line == 6)
    }

    @Test(arguments: [
        ("a,b\nx,\"y\nz,w\n", FormatReason.unclosedQuote, 2), ("a,b\nx,y\n\"\"\",w\n\n", .unclosedQuote, 3),
        ("a,b\nx\"y,z\n", .strayQuote, 2), ("a,b\n\"x\"y,z\n", .strayQuote, 2), ("a,b\n\"x\n\"y,z\n", .strayQuote, 3),
        ("a,b\n\"x\" ,z\n", .strayQuote, 2), ("a,b\nx,y,z\n", .fieldCount, 2), ("a,b\n\nx,y\n", .emptyLine, 2),
        ("a,a\n", .duplicateColumn, 1),
    ])
    func `a malformed record is refused with its line`(text: String, reason: FormatReason, line: Int) throws {
        let error = try refusal { _ = try Self.rows(text) }
        #expect(error?.reason == reason, "\(error?.description ?? "accepted")")
        #expect(error?.line == line)
    }
}
