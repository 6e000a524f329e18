import Foundation
import JSON

/// Reads JSON strictly: no trailing commas, comments, duplicate names, lone surrogates or text after the value.
struct JSONReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    /// The name of the objects whose members may stand twice.
    private let repeatable: String?
    /// A line, and where it was counted.
    private var line = 1, counted = 0

    /// Throws `malformed-json` and `invalid-utf8` with the file and the line.
    ///
    /// Names of the objects that stand under `repeatable`, or of the outermost object for an empty name, are not checked
    /// for duplicates: vocabularies are, later and with a better message.
    static func read(_ data: Data, file: String, repeatable: String? = nil) throws -> JSONNode {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        return try [UInt8](data.starts(with: mark) ? data.dropFirst(mark.count) : data).withUnsafeBufferPointer { bytes in
            var reader = JSONReader(bytes: bytes, repeatable: repeatable)
            do {
                return try JSONScanner.read(bytes) { try reader.node(&$0, name: "") }
            } catch let fault as JSONFault {
                throw TokenizerError(
                    fault.reason == .invalidUTF8 ? .invalidUTF8 : .malformedJSON, "reading JSON", file: file,
                    line: 1 + bytes[..<fault.byte].count { $0 == UInt8(ascii: "\n") },
                    found: fault.problem + (fault.found.map { " (\($0))" } ?? ""))
            }
        }
    }

    private init(bytes: UnsafeBufferPointer<UInt8>, repeatable: String?) {
        self.bytes = bytes
        self.repeatable = repeatable
    }

    /// The line of a place that is not before the last one that was asked for.
    private mutating func line(at position: Int) -> Int {
        line += bytes[counted..<position].count { $0 == UInt8(ascii: "\n") }
        counted = position
        return line
    }

    /// - Parameter name: that of the member that it is; empty for the outermost value, nil for an element.
    private mutating func node(_ scanner: inout JSONScanner, name: String?) throws -> JSONNode {
        let kind = scanner.peek(), start = line(at: scanner.position)
        return JSONNode(value: try value(&scanner, kind, name: name), line: start)
    }

    private mutating func value(_ scanner: inout JSONScanner, _ kind: JSONScanner.Kind, name: String?) throws -> JSONNode.Value {
        switch kind {
        case .object:
            var members: [(key: [UInt8], value: JSONNode)] = [], names: Set<[UInt8]> = []
            let checksNames = name == nil || name != repeatable
            try scanner.object { scanner, name in
                let key = Array(name.utf8), start = line(at: scanner.position)
                if checksNames && !names.insert(key).inserted {
                    throw scanner.fault(.duplicateKey, "\(Vocabulary.quoted(key)) stands twice in one object")
                }
                var member = try node(&scanner, name: name)
                member.line = start
                members.append((key, member))
            }
            return .object(members)
        case .array:
            var nodes: [JSONNode] = []
            try scanner.array { nodes.append(try node(&$0, name: nil)) }
            return .array(nodes)
        case .string: return .string(Array(try scanner.string().utf8))
        case .number: return .number(try scanner.number().literal)
        case .boolean: return .bool(try scanner.boolean())
        case .null:
            try scanner.null()
            return .null
        case .other: throw scanner.syntax("a value is missing")
        }
    }
}
