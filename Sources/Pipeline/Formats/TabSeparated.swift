import Foundation

/// Tab-separated text as GLUE publishes it: no quoting and no escapes, so a quotation mark is text like any other.
public final class TabSeparated: TableReader {
    public let file: String
    public private(set) var header: [String] = []
    public private(set) var line = 0
    public var fieldCount: Int { fields.count }

    private let reader: LineReader
    private var expected: Int?
    private let admitsShortRecords: Bool
    private var bytes = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    private var fields: [Range<Int>] = []

    /// - Parameters:
    ///   - hasHeader: whether the first line names the columns.
    ///   - fieldCount: how many fields every line must have; by default as many as the first.
    ///   - admitsShortRecords: hand out lines with too few fields instead of refusing them; the caller looks at
    ///     `fieldCount`.
    /// - Throws: `FormatError`; `emptyFile` when a header is wanted and the file is empty.
    public init(_ url: URL, hasHeader: Bool, fieldCount: Int? = nil, admitsShortRecords: Bool = false) throws {
        reader = try LineReader(url)
        file = reader.file
        expected = fieldCount
        self.admitsShortRecords = admitsShortRecords
        guard hasHeader else { return }
        guard try advance() else {
            throw FormatError(.emptyFile, file: file, "the file is empty", expected: "a line that names the columns")
        }
        header = (0..<fields.count).map { text($0) }
        try checkHeader(header)
    }

    public func advance() throws -> Bool {
        // A record that is broken by line ends may leave empty lines too.
        guard let bytes = try admitsShortRecords ? reader.next() : reader.nextRecord() else { return false }
        line = reader.line
        self.bytes = bytes
        fields.removeAll(keepingCapacity: true)
        var start = 0
        while let hit = memchr(bytes.baseAddress! + start, 0x09, bytes.count - start) {
            let position = UnsafeRawPointer(hit) - UnsafeRawPointer(bytes.baseAddress!)
            fields.append(start..<position)
            start = position + 1
        }
        fields.append(start..<bytes.count)
        let expected = self.expected ?? fields.count
        self.expected = expected
        guard fields.count == expected || (admitsShortRecords && fields.count < expected) else {
            throw fieldCountError(
                expected: expected, found: fields.count,
                quoting: "Fields are separated by single tabs, and quotation marks do not quote.")
        }
        return true
    }

    public func withField<Result>(
        _ index: Int, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result {
        try body(UnsafeBufferPointer(rebasing: bytes[fields[index]]))
    }
}
