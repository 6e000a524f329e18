import Foundation
import Testing

@testable import Pipeline

@Suite struct TabSeparatedTests {
    static func rows(_ text: String, hasHeader: Bool = true, fieldCount: Int? = nil) throws -> [[String]] {
        let scratch = Scratch()
        let reader = try TabSeparated(scratch.write("a.tsv", text), hasHeader: hasHeader, fieldCount: fieldCount)
        var rows: [[String]] = []
        while try reader.advance() { rows.append((0..<reader.fieldCount).map { reader.text($0) }) }
        return rows
    }

    @Test func `quotation marks are text`() throws {
        #expect(try Self.rows("a\tb\n\"x\ty\"\n\"\t\"\"\n") == [["\"x", "y\""], ["\"", "\"\""]])
    }

    @Test func `spaces and empty fields are kept`() throws {
        #expect(try Self.rows("a\tb\n x \t\n\t\n") == [[" x ", ""], ["", ""]])
    }

    @Test func `a byte-order mark, CRLF and a missing final line end make no difference`() throws {
        #expect(try Self.rows("\u{FEFF}a\tb\r\nx\ty\r\nz\tw") == Self.rows("a\tb\nx\ty\nz\tw\n"))
        let scratch = Scratch()
        let reader = try TabSeparated(scratch.write("a.tsv", "\u{FEFF}a\tb\r\n"), hasHeader: true)
        #expect(reader.header == ["a", "b"])
        #expect(reader.column("a") == 0 && reader.column("c") == nil)
    }

    @Test func `empty lines at the end are no records and others are refused`() throws {
        #expect(try Self.rows("a\tb\nx\ty\n\n\r\n\n") == [["x", "y"]])
        let error = try refusal { _ = try Self.rows("a\tb\nx\ty\n\n\nz\tw\n") }
        #expect(error?.reason == .emptyLine)
        #expect(error?.line == 3)
    }

    @Test(arguments: [("a\tb\nx\ty\nx\n", 3, "1"), ("a\tb\nx\ty\tz\n", 2, "3")])
    func `a wrong number of fields is refused with its line`(text: String, line: Int, found: String) throws {
        let error = try refusal { _ = try Self.rows(text) }
        #expect(error?.reason == .fieldCount)
        #expect(error?.line == line)
        #expect(error?.expected == "2")
        #expect(error?.found == found)
    }

    @Test func `without a header the number of fields is given`() throws {
        #expect(try Self.rows("x\ty\n", hasHeader: false, fieldCount: 2) == [["x", "y"]])
        #expect(try refusal { _ = try Self.rows("x\n", hasHeader: false, fieldCount: 2) }?.line == 1)
    }

    @Test func `a header that names a column twice and an empty file are refused`() throws {
        #expect(try refusal { _ = try Self.rows("a\ta\n") }?.reason == .duplicateColumn)
        #expect(try refusal { _ = try Self.rows("") }?.reason == .emptyFile)
        #expect(try refusal { _ = try Self.rows("\n\n") }?.reason == .emptyFile)
    }
}
