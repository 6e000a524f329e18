import Foundation

/// JSON Lines: one JSON object on each line, read forward.
public final class JSONLines {
    public let file: String
    /// The line of the current object, counted from 1.
    public private(set) var line = 0
    private let reader: LineReader

    /// - Throws: `FormatError` when the file cannot be opened.
    public init(_ url: URL) throws {
        reader = try LineReader(url)
        file = reader.file
    }

    /// The next object, or nil at the end.
    ///
    /// - Throws: `FormatError` with the line and the byte; `jsonNotObject` for a line that holds something else.
    public func next() throws -> JSONObject? {
        guard let bytes = try reader.nextRecord() else { return nil }
        line = reader.line
        let place = JSONPlace(file: file, line: line, byte: reader.byte)
        let value = try JSONTree(parsing: bytes, at: place)
        guard case .object(let object) = value else {
            throw FormatError(
                .jsonNotObject, file: file, line: line, "the line is not a JSON object", found: value.kindName)
        }
        return object
    }
}
