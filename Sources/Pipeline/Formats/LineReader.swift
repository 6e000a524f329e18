import Foundation
import JSON

/// Reads a text file forward, one line at a time, in memory bounded by the longest line.
///
/// Every line must be well-formed UTF-8. The last one may end with the file.
public final class LineReader {
    /// What belongs to a line.
    public enum Form {
        /// Lines end with LF or CRLF, a byte-order mark before the first one is passed over, and a NUL is refused.
        case file
        /// All bytes between line feeds are text: for tokenizers, to which every character means something.
        case exact
    }

    /// How a line ended.
    enum Terminator {
        case lineFeed, carriageReturnLineFeed, endOfFile
    }

    public static let longestLine = 64 << 20

    public let file: String
    /// The number of the line that `next()` returned last, counted from 1.
    public private(set) var line = 0
    /// Where that line starts in the file.
    public private(set) var byte = 0
    private(set) var terminator = Terminator.endOfFile

    private let source: OpenFile
    private let form: Form
    private var buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 1 << 18)
    private var start = 0
    private var end = 0
    private var bufferOffset = 0
    private var sourceEnded = false

    /// - Throws: `FormatError` when the file cannot be opened. A pipe or `/dev/stdin` is allowed.
    public init(_ url: URL, _ form: Form = .file) throws {
        self.form = form
        source = try OpenFile(url, regular: false)
        file = source.file
    }

    deinit { buffer.deallocate() }

    /// The next line without its terminator, or nil at the end. The bytes are valid until the next call.
    ///
    /// - Throws: `invalidUTF8`, `nulByte`, `lineTooLong`, each with the line and the byte; I/O errors.
    public func next() throws -> UnsafeBufferPointer<UInt8>? {
        var searched = 0
        while true {
            let available = end - start
            if available > searched,
                let hit = memchr(buffer.baseAddress! + start + searched, 0x0A, available - searched)
            {
                let length = UnsafeRawPointer(hit) - UnsafeRawPointer(buffer.baseAddress! + start)
                return try take(length, terminated: true)
            }
            searched = available
            if sourceEnded {
                return available == 0 ? nil : try take(available, terminated: false)
            }
            try fill()
        }
    }

    /// Whether the next line has been read from the source already, so that `next()` does not wait for it.
    public var holdsLine: Bool { end > start && memchr(buffer.baseAddress! + start, 0x0A, end - start) != nil }

    /// As `next()`, for formats in which an empty line is no record: those at the end of the file are passed over.
    ///
    /// - Throws: `emptyLine` for one that is followed by more text.
    func nextRecord() throws -> UnsafeBufferPointer<UInt8>? {
        guard let bytes = try next() else { return nil }
        if !bytes.isEmpty { return bytes }
        let emptyLine = line
        while let bytes = try next() {
            if bytes.isEmpty { continue }
            throw FormatError(
                .emptyLine, file: file, line: emptyLine, "the line is empty, and more lines follow it",
                advice: "Remove the line, or restore what was on it.")
        }
        return nil
    }

    /// The next line as text, or nil at the end.
    public func nextText() throws -> String? {
        try next().map { String(decoding: $0, as: UTF8.self) }
    }

    private func take(_ length: Int, terminated: Bool) throws -> UnsafeBufferPointer<UInt8> {
        line += 1
        byte = bufferOffset + start
        var first = start
        var count = length
        start += length + (terminated ? 1 : 0)
        if form == .file && line == 1 && count >= 3 && buffer[first] == 0xEF && buffer[first + 1] == 0xBB && buffer[first + 2] == 0xBF {
            first += 3
            count -= 3
            byte += 3
        }
        terminator = terminated ? .lineFeed : .endOfFile
        if form == .file && count > 0 && buffer[first + count - 1] == 0x0D {
            count -= 1
            if terminated { terminator = .carriageReturnLineFeed }
        }
        let bytes = UnsafeBufferPointer(start: buffer.baseAddress! + first, count: count)
        if let position = UTF8Validation.firstInvalid(in: bytes) {
            throw FormatError(
                .invalidUTF8, file: file, line: line, byte: byte + position, "the text is not valid UTF-8",
                found: "byte 0x" + String(bytes[position], radix: 16),
                advice: "Convert the file to UTF-8, for example with iconv.")
        }
        if form == .file, count > 0, let hit = memchr(bytes.baseAddress!, 0, count) {
            throw FormatError(
                .nulByte, file: file, line: line,
                byte: byte + (UnsafeRawPointer(hit) - UnsafeRawPointer(bytes.baseAddress!)),
                "the text contains a NUL byte",
                advice: "If the file is UTF-16, convert it to UTF-8, for example with iconv.")
        }
        return bytes
    }

    private func fill() throws {
        if start > 0 {
            memmove(buffer.baseAddress!, buffer.baseAddress! + start, end - start)
            bufferOffset += start
            end -= start
            start = 0
        }
        if end == buffer.count {
            guard buffer.count < Self.longestLine else {
                throw FormatError(
                    .lineTooLong, file: file, line: line + 1, "the line is too long",
                    expected: "at most \(Self.longestLine) bytes")
            }
            let larger = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: buffer.count * 2)
            memcpy(larger.baseAddress!, buffer.baseAddress!, end)
            buffer.deallocate()
            buffer = larger
        }
        let free = UnsafeMutableRawBufferPointer(start: buffer.baseAddress! + end, count: buffer.count - end)
        let count = try source.readNext(into: free)
        if count == 0 { sourceEnded = true }
        end += count
    }
}
