/// A strict JSON reader (RFC 8259) over bytes that are already known to be UTF-8, driven by its caller one value at a
/// time.
///
/// It takes no memory beyond the strings it returns, so a caller that knows what it expects refuses the rest early.
struct JSONScanner {
    /// Where the bytes come from, for error messages.
    struct Place {
        let file: String
        var line: Int?
        /// Offset of the first byte in the file.
        var byte = 0
        /// The code for text that is not JSON.
        var syntaxReason = FormatReason.jsonSyntax
    }

    enum Kind {
        case object, array, string, number, boolean, null, other
    }

    static let deepest = 64
    static let longestNumber = 512

    private let bytes: UnsafeBufferPointer<UInt8>
    let place: Place
    private(set) var position = 0
    private var depth = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, at place: Place) {
        self.bytes = bytes
        self.place = place
    }

    /// What the next value is, without reading it.
    mutating func peek() -> Kind {
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
    mutating func object(_ member: (inout JSONScanner, String) throws -> Void) throws {
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
    mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
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

    mutating func string() throws -> String {
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

    mutating func number() throws -> JSONNumber {
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
            throw error(.jsonNumberRange, "a number has too many digits", byte: start)
        }
        let literal = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
        return JSONNumber(literal: literal, isInteger: isInteger, isNegative: isNegative)
    }

    mutating func boolean() throws -> Bool {
        skipSpace()
        if takeWord("true") { return true }
        if takeWord("false") { return false }
        throw syntax("true or false is missing")
    }

    mutating func null() throws {
        skipSpace()
        guard takeWord("null") else { throw syntax("null is missing") }
    }

    /// Refuses anything but white space after the value.
    mutating func finish() throws {
        skipSpace()
        guard position == bytes.count else {
            throw error(.jsonTrailingBytes, "more bytes follow the JSON value")
        }
    }

    func syntax(_ problem: String) -> FormatError {
        let found = position < bytes.count ? "byte 0x" + String(bytes[position], radix: 16) : "the end"
        return error(place.syntaxReason, "not valid JSON: " + problem, found: found)
    }

    func error(_ reason: FormatReason, _ problem: String, byte: Int? = nil, found: String? = nil) -> FormatError {
        FormatError(
            reason, file: place.file, line: place.line, byte: place.byte + (byte ?? position), problem, found: found)
    }

    // MARK: - Pieces

    private mutating func enter(_ bracket: UInt8) throws {
        skipSpace()
        guard take(bracket) else {
            throw syntax(bracket == UInt8(ascii: "{") ? "an object is missing" : "an array is missing")
        }
        depth += 1
        guard depth <= Self.deepest else {
            throw error(.jsonTooDeep, "the JSON is nested more than \(Self.deepest) levels deep")
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
