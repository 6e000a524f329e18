import Foundation

/// Comma-separated text after RFC 4180: a field in quotation marks may hold commas, line ends and doubled quotation
/// marks.
public final class CommaSeparated: TableReader {
    static let longestRecord = 64 << 20

    public let file: String
    public private(set) var header: [String] = []
    public private(set) var line = 0
    public var fieldCount: Int { ends.count }

    private let reader: LineReader
    private var expected: Int?
    /// The fields of the current record without their quoting, end to end.
    private var content: [UInt8] = []
    private var ends: [Int] = []

    /// - Throws: `FormatError`; `emptyFile` when a header is wanted and the file is empty.
    public init(_ url: URL, hasHeader: Bool, fieldCount: Int? = nil) throws {
        reader = try LineReader(url)
        file = reader.file
        expected = fieldCount
        guard hasHeader else { return }
        guard try advance() else {
            throw FormatError(.emptyFile, file: file, "the file is empty", expected: "a line that names the columns")
        }
        header = (0..<ends.count).map { text($0) }
        try checkHeader(header)
    }

    public func advance() throws -> Bool {
        guard var bytes = try reader.nextRecord() else { return false }
        line = reader.line
        content.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        var position = 0
        while true {
            if position < bytes.count && bytes[position] == 0x22 {
                try readQuoted(&bytes, &position)
            } else {
                let start = position
                while position < bytes.count && bytes[position] != 0x2C {
                    if bytes[position] == 0x22 {
                        throw strayQuote(position, "a quotation mark stands inside an unquoted field")
                    }
                    position += 1
                }
                content.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start..<position]))
            }
            ends.append(content.count)
            guard position < bytes.count else { break }
            guard bytes[position] == 0x2C else {
                throw strayQuote(position, "text follows the closing quotation mark of a field")
            }
            position += 1
        }
        let expected = self.expected ?? ends.count
        self.expected = expected
        guard ends.count == expected else {
            throw fieldCountError(
                expected: expected, found: ends.count,
                quoting: "A field that contains a comma must stand in quotation marks.")
        }
        return true
    }

    /// Reads a quoted field from its opening mark to after its closing one, over as many lines as it takes.
    private func readQuoted(_ bytes: inout UnsafeBufferPointer<UInt8>, _ position: inout Int) throws {
        let opened = reader.line
        position += 1
        while true {
            let start = position
            while position < bytes.count && bytes[position] != 0x22 { position += 1 }
            content.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start..<position]))
            if position < bytes.count {
                position += 1
                guard position < bytes.count && bytes[position] == 0x22 else { return }
                content.append(0x22)
                position += 1
                continue
            }
            switch reader.terminator {
            case .lineFeed: content.append(0x0A)
            case .carriageReturnLineFeed: content += [0x0D, 0x0A]
            case .endOfFile: break
            }
            guard content.count <= Self.longestRecord, let next = try reader.next() else {
                throw FormatError(
                    .unclosedQuote, file: file, line: opened, "a quotation mark is opened here and never closed",
                    advice: "Close it, or double a quotation mark that is part of the text.")
            }
            bytes = next
            position = 0
        }
    }

    private func strayQuote(_ position: Int, _ problem: String) -> FormatError {
        FormatError(
            .strayQuote, file: file, line: reader.line, byte: reader.byte + position, problem,
            advice: "Put the whole field in quotation marks and double those inside it.")
    }

    public func withField<Result>(
        _ index: Int, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result {
        let range = (index == 0 ? 0 : ends[index - 1])..<ends[index]
        return try content.withUnsafeBufferPointer { try body(UnsafeBufferPointer(rebasing: $0[range])) }
    }
}
