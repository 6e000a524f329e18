/// A strict JSON reader (RFC 8259), driven by its caller one value at a time.
///
/// It takes no memory beyond the strings it returns, so a caller that knows what it expects refuses the rest early. It refuses lone
/// surrogates, numbers of more than 512 characters and more than 64 levels, and leaves to its caller what a key that stands twice means.
/// Everything it throws is a `JSONFault`.
public struct JSONScanner {
    public enum Kind: Sendable {
        case object, array, string, number, boolean, null, other
    }

    static let deepest = 64
    static let longestNumber = 512

    private let bytes: UnsafeBufferPointer<UInt8>
    public private(set) var position = 0
    private var depth = 0

    /// - Parameter bytes: known to be UTF-8, and there for as long as the scanner is.
    public init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    /// Reads one value that takes all of `bytes`, but for white space around it.
    ///
    /// - Throws: `JSONFault`, also where the bytes are not UTF-8, and what `value` throws.
    public static func read<Value>(
        _ bytes: UnsafeBufferPointer<UInt8>, _ value: (inout JSONScanner) throws -> Value
    ) throws -> Value {
        if let position = UTF8Validation.firstInvalid(in: bytes) {
            throw JSONFault(
                .invalidUTF8, byte: position, "the text is not valid UTF-8", found: "byte 0x" + String(bytes[position], radix: 16))
        }
        var scanner = JSONScanner(bytes)
        let result = try value(&scanner)
        try scanner.finish()
        return result
    }

    /// What the next value is, without reading it.
    public mutating func peek() -> Kind {
        skipSpace()
        guard position < bytes.count else { return .other }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        default: return .other
        }
    }

    /// Reads an object. `member` must read exactly one value each time; it sees duplicate keys and judges them.
    public mutating func object(_ member: (inout JSONScanner, String) throws -> Void) throws {
        try enter(UInt8(ascii: "{"))
        skipSpace()
        if take(UInt8(ascii: "}")) {
            depth -= 1
            return
        }
        repeat {
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw syntax("a colon is missing after a key") }
            try member(&self, key)
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw syntax("a comma or the end of the object is missing") }
        depth -= 1
    }

    /// Reads an array. `element` must read exactly one value each time.
    public mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
        try enter(UInt8(ascii: "["))
        skipSpace()
        if take(UInt8(ascii: "]")) {
            depth -= 1
            return
        }
        repeat {
            try element(&self)
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw syntax("a comma or the end of the array is missing") }
        depth -= 1
    }

    /// Its bytes are those of the file but for escapes, which are resolved.
    public mutating func string() throws -> String {
        skipSpace()
        guard take(UInt8(ascii: "\"")) else { throw syntax("a string is missing") }
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: "\""), bytes[position] != UInt8(ascii: "\\") {
            guard bytes[position] >= 0x20 else { throw syntax("a string contains a control character") }
            position += 1
        }
        if take(UInt8(ascii: "\"")) {
            return String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position - 1]), as: UTF8.self)
        }
        var content = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            guard byte >= 0x20 else { throw syntax("a string contains a control character") }
            position += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: content, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                try appendEscape(to: &content)
            } else {
                content.append(byte)
            }
        }
        throw syntax("a string is not closed")
    }

    public mutating func number() throws -> JSONNumber {
        skipSpace()
        let start = position
        let isNegative = take(UInt8(ascii: "-"))
        let first = position
        guard takeDigits() > 0 else { throw syntax("a number is missing or has no digits") }
        if bytes[first] == UInt8(ascii: "0") && position - first > 1 { throw syntax("a number starts with a zero") }
        var isInteger = true
        if take(UInt8(ascii: ".")) {
            isInteger = false
            guard takeDigits() > 0 else { throw syntax("a number has no digits after its point") }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard takeDigits() > 0 else { throw syntax("a number has no digits in its exponent") }
        }
        guard position - start <= Self.longestNumber else {
            throw fault(.numberRange, byte: start, "a number has too many digits")
        }
        let literal = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
        return JSONNumber(literal: literal, isInteger: isInteger, isNegative: isNegative)
    }

    public mutating func boolean() throws -> Bool {
        skipSpace()
        if takeWord("true") { return true }
        if takeWord("false") { return false }
        throw syntax("true or false is missing")
    }

    public mutating func null() throws {
        skipSpace()
        guard takeWord("null") else { throw syntax("null is missing") }
    }

    /// Refuses anything but white space after the value.
    mutating func finish() throws {
        skipSpace()
        guard position == bytes.count else {
            throw fault(.trailingBytes, "more bytes follow the JSON value")
        }
    }

    /// That the bytes from here on are not JSON.
    public func syntax(_ problem: String) -> JSONFault {
        let found = position < bytes.count ? "byte 0x" + String(bytes[position], radix: 16) : "the end"
        return fault(.syntax, problem, found: found)
    }

    /// - Parameter byte: the scanner's position by default.
    public func fault(_ reason: JSONFault.Reason, byte: Int? = nil, _ problem: String, found: String? = nil) -> JSONFault {
        JSONFault(reason, byte: byte ?? position, problem, found: found)
    }

    // MARK: - Pieces

    private mutating func enter(_ bracket: UInt8) throws {
        skipSpace()
        guard take(bracket) else {
            throw syntax(bracket == UInt8(ascii: "{") ? "an object is missing" : "an array is missing")
        }
        depth += 1
        guard depth <= Self.deepest else {
            throw fault(.tooDeep, "the JSON is nested more than \(Self.deepest) levels deep")
        }
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count && bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func takeDigits() -> Int {
        let start = position
        while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) {
            position += 1
        }
        return position - start
    }

    private mutating func takeWord(_ word: StaticString) -> Bool {
        guard position + word.utf8CodeUnitCount <= bytes.count else { return false }
        for index in 0..<word.utf8CodeUnitCount where bytes[position + index] != word.utf8Start[index] { return false }
        position += word.utf8CodeUnitCount
        return true
    }

    private mutating func appendEscape(to content: inout [UInt8]) throws {
        guard position < bytes.count else { throw syntax("a string is not closed") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code) {
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
                    throw syntax("half of a surrogate pair stands alone")
                }
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else { throw syntax("half of a surrogate pair stands alone") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw syntax("half of a surrogate pair stands alone") }
            content.append(contentsOf: UTF8.encode(scalar)!)
        default:
            position -= 1
            throw syntax("a string contains an unknown escape")
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue,
                bytes[position] < 0x80
            else { throw syntax("four hexadecimal digits are missing after \\u") }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
