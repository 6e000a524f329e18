import JSON

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
    init(parsing bytes: UnsafeBufferPointer<UInt8>, at place: JSONPlace) throws {
        self = try place.naming { try JSONScanner.read(bytes, Self.read) }
    }

    /// Parses `bytes`, which came from `file`.
    public init(parsing bytes: [UInt8], file: String) throws {
        self = try bytes.withUnsafeBufferPointer { try JSONTree(parsing: $0, at: JSONPlace(file: file)) }
    }

    static func read(_ scanner: inout JSONScanner) throws -> JSONTree {
        switch scanner.peek() {
        case .object:
            var object = JSONObject()
            var seen = Set<String>()
            try scanner.object { scanner, key in
                guard seen.insert(key).inserted else {
                    let key = FormatError.printable(key)
                    throw scanner.fault(.duplicateKey, "the key \"\(key)\" stands twice in one object")
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
                throw scanner.fault(.numberRange, byte: start, "a number is too large for a double")
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
