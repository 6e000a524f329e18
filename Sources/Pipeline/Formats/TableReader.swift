/// A table read forward, one record at a time.
///
/// The first record may name the columns; every later one has as many fields as the first.
public protocol TableReader: AnyObject {
    var file: String { get }
    /// Names of the columns; empty when the file has no header.
    var header: [String] { get }
    /// The line on which the current record starts, counted from 1.
    var line: Int { get }
    /// Number of fields of the current record.
    var fieldCount: Int { get }

    /// Goes to the next record. False at the end.
    ///
    /// - Throws: `FormatError` with the line.
    func advance() throws -> Bool

    /// The bytes of one field of the current record, valid during `body`.
    func withField<Result>(_ index: Int, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result
}

extension TableReader {
    /// One field of the current record as text.
    public func text(_ index: Int) -> String {
        withField(index) { String(decoding: $0, as: UTF8.self) }
    }

    /// The position of the column of that name, or nil.
    public func column(_ name: String) -> Int? {
        header.firstIndex { $0.utf8.elementsEqual(name.utf8) }
    }

    /// Refuses a header in which a name stands twice. Columns without a name may repeat.
    func checkHeader(_ names: [String]) throws {
        var seen = Set<[UInt8]>()
        for name in names where !name.isEmpty && !seen.insert(Array(name.utf8)).inserted {
            throw FormatError(
                .duplicateColumn, file: file, line: 1, column: name, "two columns have this name",
                advice: "Rename one of them.")
        }
    }

    func fieldCountError(expected: Int, found: Int, quoting: String) -> FormatError {
        FormatError(
            .fieldCount, file: file, line: line, "the number of fields is wrong",
            expected: "\(expected)", found: "\(found)", advice: quoting)
    }
}
