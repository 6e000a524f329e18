import Foundation

/// One value of a record, as text or as JSON.
enum FieldValue {
    case text(String)
    case json(JSONTree)
}

/// Records with named fields, from a table or from JSON Lines.
protocol RecordSource: AnyObject {
    var file: String { get }
    var line: Int { get }
    /// The names of the fields: the header, or the keys of the first object.
    var columns: [String] { get }

    func advance() throws -> Bool
    /// The current record's value; nil when it has none of that name.
    func value(_ column: String) -> FieldValue?
}

final class TableSource: RecordSource {
    private let reader: any TableReader
    private var positions: [String: Int] = [:]

    var file: String { reader.file }
    var line: Int { reader.line }
    var columns: [String] { reader.header }

    init(_ reader: any TableReader) {
        self.reader = reader
        for (position, name) in reader.header.enumerated() where positions[name] == nil { positions[name] = position }
    }

    func advance() throws -> Bool { try reader.advance() }

    func value(_ column: String) -> FieldValue? { positions[column].map { .text(reader.text($0)) } }
}

final class JSONLinesSource: RecordSource {
    private let reader: JSONLines
    private var first: JSONObject?
    private var current = JSONObject()
    let columns: [String]

    var file: String { reader.file }
    var line: Int { reader.line }

    init(_ url: URL) throws {
        reader = try JSONLines(url)
        first = try reader.next()
        columns = first?.members.map(\.key) ?? []
    }

    func advance() throws -> Bool {
        if let object = first {
            current = object
            first = nil
            return true
        }
        guard let object = try reader.next() else { return false }
        current = object
        return true
    }

    func value(_ column: String) -> FieldValue? { current[column].map { .json($0) } }
}
