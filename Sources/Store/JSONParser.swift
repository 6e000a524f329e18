/// A strict reader of JSON (RFC 8259).
///
/// Refuses what lenient readers let pass: duplicate keys, depth over 64, trailing text, invalid UTF-8, lone
/// surrogates, integers beyond
/// 64 bits, numbers beyond a double. Never recurses deeper than the bound and never trusts a length.
extension JSONValue {
    static let maximumDepth = 64

    /// Throws `StoreError` with code `invalidJSON` and the byte offset of the fault.
    public init(parsing bytes: some Sequence<UInt8>) throws {
        let array = Array(bytes)
        guard String(validating: array, as: UTF8.self) != nil else {
            throw StoreError(.invalidJSON, operation: "read JSON", expected: "UTF-8", found: "other bytes")
        }
        var parser = JSONParser(bytes: array)
        self = try parser.document()
    }

    public init(parsing text: String) throws { try self.init(parsing: text.utf8) }
}

private struct JSONParser {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw fault("the end") }
        return value
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func fault(_ expected: String) -> StoreError {
        let found = current.map { "byte 0x" + String($0, radix: 16) } ?? "the end"
        return StoreError(
            .invalidJSON, operation: "read JSON", expected: expected, found: "\(found) at offset \(position)")
    }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    private mutating func literal(_ text: StaticString, _ value: JSONValue) throws -> JSONValue {
        for index in 0..<text.utf8CodeUnitCount where !take(text.utf8Start[index]) { throw fault("\(text)") }
        return value
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        guard depth <= JSONValue.maximumDepth else { throw fault("at most \(JSONValue.maximumDepth) levels") }
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return try number()
        }
    }

    private mutating func object(depth: Int) throws -> JSONValue {
        position += 1
        var members: [String: JSONValue] = [:]
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw fault("a key") }
            let key = try string()
            guard members[key] == nil else { throw fault("one value for the key \(StoreError.quoted(key))") }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw fault("':'") }
            members[key] = try value(depth: depth + 1)
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw fault("',' or '}'") }
        return .object(members)
    }

    private mutating func array(depth: Int) throws -> JSONValue {
        position += 1
        var values: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(values) }
        repeat {
            values.append(try value(depth: depth + 1))
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw fault("',' or ']'") }
        return .array(values)
    }

    private mutating func string() throws -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &text)
            case 0..<0x20: throw fault("an escaped control character")
            default:
                text.append(byte)
                position += 1
            }
        }
        throw fault("the closing quote")
    }

    private mutating func escape(into text: inout [UInt8]) throws {
        guard let byte = current else { throw fault("an escape") }
        let plain: [UInt8: UInt8] = [
            UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5c, UInt8(ascii: "/"): 0x2f, UInt8(ascii: "b"): 0x08,
            UInt8(ascii: "f"): 0x0c, UInt8(ascii: "n"): 0x0a, UInt8(ascii: "r"): 0x0d, UInt8(ascii: "t"): 0x09,
        ]
        if let value = plain[byte] {
            position += 1
            text.append(value)
            return
        }
        guard byte == UInt8(ascii: "u") else { throw fault("an escape") }
        position += 1
        var code = try fourDigits()
        if (0xd800..<0xdc00).contains(code) {
            guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw fault("the second surrogate") }
            let low = try fourDigits()
            guard (0xdc00..<0xe000).contains(low) else { throw fault("the second surrogate") }
            code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw fault("a first surrogate") }
        text += Array(String(scalar).utf8)
    }

    private mutating func fourDigits() throws -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, byte != UInt8(ascii: "+"),
                let digit = UInt32(String(decoding: [byte], as: UTF8.self), radix: 16)
            else { throw fault("a hexadecimal digit") }
            code = code << 4 | digit
            position += 1
        }
        return code
    }

    private mutating func number() throws -> JSONValue {
        let start = position
        var isInteger = true
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) {
            isInteger = false
            try digits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger {
            guard let value = Int64(text) else { throw fault("an integer of 64 bits instead of \(text.prefix(40))") }
            return .integer(value)
        }
        guard let value = Double(text), value.isFinite else {
            throw fault("a finite number instead of \(text.prefix(40))")
        }
        return .number(value)
    }

    private mutating func digits() throws {
        let start = position
        while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw fault("a value") }
    }
}
