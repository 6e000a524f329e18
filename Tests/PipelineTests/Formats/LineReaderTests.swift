import Foundation
import Testing

@testable import Pipeline

@Suite struct LineReaderTests {
    static func lines(_ bytes: [UInt8], _ form: LineReader.Form = .file) throws -> [String] {
        let scratch = Scratch()
        let reader = try LineReader(scratch.write("a.txt", bytes), form)
        var lines: [String] = []
        while let line = try reader.nextText() { lines.append(line) }
        return lines
    }

    @Test(
        arguments: [
            ("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\nb", ["a", "b"]), ("a\r\nb\r\n", ["a", "b"]),
            ("\n\na", ["", "", "a"]),
            ("a\r\n\r\nb\r", ["a", "", "b"]), ("a\rb\n", ["a\rb"]), ("\u{FEFF}a\n\u{FEFF}b", ["a", "\u{FEFF}b"]),
            ("\u{2028}\u{85}\u{B}\n", ["\u{2028}\u{85}\u{B}"]),
        ] as [(String, [String])])
    func `lines end with LF or CRLF and with nothing else`(text: String, expected: [String]) throws {
        let lines = try Self.lines(Array(text.utf8))
        #expect(lines.map { Array($0.utf8) } == expected.map { Array($0.utf8) })
    }

    @Test func `in the exact form all that is between line feeds is text`() throws {
        let text = "\u{FEFF}a\r\nb\0\r\n\r"
        let lines = try Self.lines(Array(text.utf8), .exact)
        #expect(lines.map { Array($0.utf8) } == ["\u{FEFF}a\r", "b\0\r", "\r"].map { Array($0.utf8) })
    }

    @Test func `lines longer than the buffer come whole`() throws {
        let long = [String](repeating: "é", count: 400_000).joined()
        #expect(try Self.lines(Array("a\n\(long)\nb\n\(long)".utf8)) == ["a", long, "b", long])
    }

    @Test func `invalid UTF-8 is refused with its line and byte`() throws {
        let cases: [([UInt8], Int, Int)] = [
            ([0x61, 0x0A, 0x62, 0xFF, 0x0A], 2, 3), ([0xEF, 0xBB, 0xBF, 0x61, 0xC3, 0x0A], 1, 4),
            ([0xFF, 0xFE, 0x61, 0x00], 1, 0),
        ]
        for (bytes, line, byte) in cases {
            let error = try refusal { _ = try Self.lines(bytes) }
            #expect(error?.reason == .invalidUTF8)
            #expect(error?.line == line)
            #expect(error?.byte == byte)
        }
    }

    @Test func `a NUL is refused with its line and byte`() throws {
        let error = try refusal { _ = try Self.lines([0x61, 0x0A, 0x62, 0x00, 0x0A]) }
        #expect(error?.reason == .nulByte)
        #expect(error?.line == 2)
        #expect(error?.byte == 3)
    }

    @Test func `byte positions stay right across many buffers`() throws {
        let line = String(repeating: "x", count: 999) + "\n"
        var bytes = Array(String(repeating: line, count: 1000).utf8)
        bytes[900_500] = 0xFF
        let error = try refusal { _ = try Self.lines(bytes) }
        #expect(error?.line == 901)
        #expect(error?.byte == 900_500)
    }

    @Test func `a folder is refused`() throws {
        let scratch = Scratch()
        #expect(try refusal { _ = try LineReader(scratch.url) }?.reason == .notRegularFile)
    }
}
