import Foundation

/// Reads JSON strictly: no trailing commas, comments, duplicate names, lone surrogates or text after the value.
struct JSONReader {
    private let bytes: [UInt8]
    private let file: String
    private var index = 0
    private var line = 1
    private static let maximumDepth = 64

    /// Throws `malformed-json` and `invalid-utf8` with the file and the line.
    ///
    /// Names of the objects that stand under `repeatable`, or of the outermost object for an empty name, are not checked
    /// for duplicates: vocabularies are, later and with a better message.
    static func read(_ data: Data, file: String, repeatable: String? = nil) throws -> JSONNode {
        let bytes = [UInt8](data)
        if let place = bytes.withUnsafeBufferPointer(UTF8Text.firstInvalidByte) {
            let line = 1 + bytes[..<place].count { $0 == UInt8(ascii: "\n") }
            throw TokenizerError(
                .invalidUTF8, "reading JSON", file: file, line: line, expected: "UTF-8",
                found: "byte 0x\(String(bytes[place], radix: 16)) at offset \(place)")
        }
        var reader = JSONReader(bytes: bytes, file: file)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { reader.index = 3 }
        let node = try reader.value(depth: 0, name: "", repeatable: repeatable)
        reader.skipSpace()
        if reader.index < bytes.count { throw reader.error("the end of the file") }
        return node
    }

    private init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    private func error(_ expected: String, found: String? = nil) -> TokenizerError {
        let next =
            index < bytes.count
            ? Vocabulary.quoted(bytes[index..<min(index + 12, bytes.count)]) : "the end of the file"
        return TokenizerError(
            .malformedJSON, "reading JSON", file: file, line: line, expected: expected, found: found ?? next)
    }

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\n"): line += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): break
            default: return
            }
            index += 1
        }
    }

    private mutating func take(_ byte: Character) -> Bool {
        skipSpace()
        guard index < bytes.count, bytes[index] == byte.asciiValue else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int, name: String, repeatable: String?) throws -> JSONNode {
        guard depth < Self.maximumDepth else { throw error("at most \(Self.maximumDepth) levels") }
        skipSpace()
        let start = line
        guard index < bytes.count else { throw error("a value") }
        switch bytes[index] {
        case UInt8(ascii: "{"):
            let members = try object(depth: depth, checksNames: name != repeatable, repeatable: repeatable)
            return JSONNode(value: .object(members), line: start)
        case UInt8(ascii: "["):
            index += 1
            var nodes: [JSONNode] = []
            if !take("]") {
                repeat { nodes.append(try value(depth: depth + 1, name: "[]", repeatable: repeatable)) } while take(",")
                guard take("]") else { throw error("\",\" or \"]\"") }
            }
            return JSONNode(value: .array(nodes), line: start)
        case UInt8(ascii: "\""): return JSONNode(value: .string(try string()), line: start)
        case UInt8(ascii: "t"): return JSONNode(value: try word("true", .bool(true)), line: start)
        case UInt8(ascii: "f"): return JSONNode(value: try word("false", .bool(false)), line: start)
        case UInt8(ascii: "n"): return JSONNode(value: try word("null", .null), line: start)
        default: return JSONNode(value: .number(try number()), line: start)
        }
    }

    private mutating func object(
        depth: Int, checksNames: Bool, repeatable: String?
    ) throws -> [(key: [UInt8], value: JSONNode)] {
        index += 1
        var members: [(key: [UInt8], value: JSONNode)] = []
        var names: Set<[UInt8]> = []
        if take("}") { return members }
        repeat {
            skipSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { throw error("a name") }
            let start = line
            let key = try string()
            if checksNames && !names.insert(key).inserted {
                throw error("each name once", found: "\(Vocabulary.quoted(key)) again")
            }
            guard take(":") else { throw error("\":\"") }
            let name = String(decoding: key, as: UTF8.self)
            var node = try value(depth: depth + 1, name: name, repeatable: repeatable)
            node.line = start
            members.append((key, node))
        } while take(",")
        guard take("}") else { throw error("\",\" or \"}\"") }
        return members
    }

    private mutating func word(_ text: String, _ value: JSONNode.Value) throws -> JSONNode.Value {
        guard bytes[index...].starts(with: text.utf8) else { throw error("a value") }
        index += text.utf8.count
        return value
    }

    private mutating func number() throws -> String {
        let start = index
        func isDigit(_ place: Int) -> Bool { place < bytes.count && bytes[place] >= 48 && bytes[place] <= 57 }
        func skipDigits(_ place: Int) throws -> Int {
            var place = place
            guard isDigit(place) else { throw error("a value") }
            while isDigit(place) { place += 1 }
            return place
        }
        var place = index
        if bytes[place] == UInt8(ascii: "-") { place += 1 }
        let hasLeadingZero = isDigit(place) && bytes[place] == 48
        let digits = place
        place = try skipDigits(place)
        guard !hasLeadingZero || place == digits + 1 else { throw error("a number without leading zeros") }
        if place < bytes.count, bytes[place] == UInt8(ascii: ".") { place = try skipDigits(place + 1) }
        if place < bytes.count, bytes[place] | 0x20 == UInt8(ascii: "e") {
            place += 1
            if place < bytes.count, bytes[place] == UInt8(ascii: "+") || bytes[place] == UInt8(ascii: "-") {
                place += 1
            }
            place = try skipDigits(place)
        }
        index = place
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    private mutating func string() throws -> [UInt8] {
        index += 1
        var text: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return text
            case UInt8(ascii: "\\"): try escape(to: &text)
            case 0..<0x20: throw error("control characters as escapes", found: "0x\(String(byte, radix: 16))")
            default:
                text.append(byte)
                index += 1
            }
        }
        throw error("\"\\\"\"")
    }

    private mutating func escape(to text: inout [UInt8]) throws {
        guard index + 1 < bytes.count else { throw error("an escape") }
        let plain: [UInt8: UInt8] = [
            UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "/"): 0x2F, UInt8(ascii: "b"): 8,
            UInt8(ascii: "f"): 12, UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9,
        ]
        if let byte = plain[bytes[index + 1]] {
            text.append(byte)
            index += 2
            return
        }
        var code = try codeUnit()
        if (0xD800..<0xDC00).contains(code) {
            let low = try codeUnit()
            guard (0xDC00..<0xE000).contains(low) else { throw error("the second half of a surrogate pair") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard Unicode.Scalar(code) != nil else { throw error("the first half of a surrogate pair") }
        UTF8Text.append(code, to: &text)
    }

    private mutating func codeUnit() throws -> UInt32 {
        guard index + 6 <= bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u"),
            bytes[index + 2..<index + 6].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let code = UInt32(String(decoding: bytes[index + 2..<index + 6], as: UTF8.self), radix: 16)
        else { throw error("an escape") }
        index += 6
        return code
    }
}
