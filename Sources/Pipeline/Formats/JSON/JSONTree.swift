/// A number as it is written, so that no digit is lost before the reader knows what it needs.
public struct JSONNumber: Hashable, Sendable {
    public let literal: String
    /// Whether it is written without a fraction and without an exponent.
    public let isInteger: Bool
    public let isNegative: Bool

    /// The value when it is written as an integer and fits.
    public var integer: Int? { isInteger ? Int(literal) : nil }

    /// The nearest double, or nil when the number is beyond the range of finite doubles.
    public var double: Double? {
        guard let value = Double(literal), value.isFinite else { return nil }
        return value
    }
}

/// The members of a JSON object in the order in which they stand. No key stands twice.
public struct JSONObject: Hashable, Sendable {
    public struct Member: Hashable, Sendable {
        public let key: String
        public let value: JSONTree
    }

    public private(set) var members: [Member] = []

    public init() {}

    public subscript(key: String) -> JSONTree? {
        members.first { $0.key == key }?.value
    }

    /// Adds a member. A repeated key is a programming error.
    public mutating func append(_ key: String, _ value: JSONTree) {
        members.append(Member(key: key, value: value))
    }
}

/// Any JSON value, read strictly: duplicate keys, `NaN`, lone surrogates, deep nesting, invalid UTF-8 and trailing
/// bytes are refused.
public enum JSONTree: Hashable, Sendable {
    case object(JSONObject)
    case array([JSONTree])
    case string(String)
    case number(JSONNumber)
    case boolean(Bool)
    case null

    /// Parses the whole of `bytes`.
    ///
    /// - Throws: `FormatError` with the position counted from the start of the file.
    init(parsing bytes: UnsafeBufferPointer<UInt8>, at place: JSONScanner.Place) throws {
        if let position = UTF8Validation.firstInvalid(in: bytes) {
            throw FormatError(
                .invalidUTF8, file: place.file, line: place.line, byte: place.byte + position,
                "the text is not valid UTF-8", found: "byte 0x" + String(bytes[position], radix: 16))
        }
        var scanner = JSONScanner(bytes, at: place)
        self = try Self.read(&scanner)
        try scanner.finish()
    }

    /// Parses `bytes`, which came from `file`.
    public init(parsing bytes: [UInt8], file: String) throws {
        self = try bytes.withUnsafeBufferPointer { try JSONTree(parsing: $0, at: JSONScanner.Place(file: file)) }
    }

    static func read(_ scanner: inout JSONScanner) throws -> JSONTree {
        switch scanner.peek() {
        case .object:
            var object = JSONObject()
            var seen = Set<String>()
            try scanner.object { scanner, key in
                guard seen.insert(key).inserted else {
                    let key = FormatError.printable(key)
                    throw scanner.error(.jsonDuplicateKey, "the key \"\(key)\" stands twice in one object")
                }
                object.append(key, try read(&scanner))
            }
            return .object(object)
        case .array:
            var elements: [JSONTree] = []
            try scanner.array { elements.append(try read(&$0)) }
            return .array(elements)
        case .string: return .string(try scanner.string())
        case .number:
            let start = scanner.position
            let number = try scanner.number()
            guard number.double != nil else {
                throw scanner.error(.jsonNumberRange, "a number is too large for a double", byte: start)
            }
            return .number(number)
        case .boolean: return .boolean(try scanner.boolean())
        case .null:
            try scanner.null()
            return .null
        case .other: throw scanner.syntax("a value is missing")
        }
    }

    /// What kind of value it is, for messages.
    public var kindName: String {
        switch self {
        case .object: "an object"
        case .array: "an array"
        case .string: "a string"
        case .number(let number): number.isInteger ? "an integer" : "a number"
        case .boolean: "true or false"
        case .null: "null"
        }
    }
}
