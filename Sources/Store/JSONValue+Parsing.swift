import JSON

/// Reading JSON strictly: `JSONScanner`, and besides that no duplicate keys, no integers beyond 64 bits and no numbers beyond a double.
extension JSONValue {
    /// Throws `StoreError` with code `invalidJSON` and the byte offset of the fault.
    public init(parsing bytes: some Sequence<UInt8>) throws {
        do {
            self = try Array(bytes).withUnsafeBufferPointer { try JSONScanner.read($0, Self.read) }
        } catch let fault as JSONFault {
            throw StoreError(
                .invalidJSON, operation: "read JSON", expected: "strict JSON",
                found: "\(fault.found ?? "other text") at offset \(fault.byte), where \(fault.problem)")
        }
    }

    public init(parsing text: String) throws { try self.init(parsing: text.utf8) }

    private static func read(_ scanner: inout JSONScanner) throws -> JSONValue {
        switch scanner.peek() {
        case .object:
            var members: [String: JSONValue] = [:]
            try scanner.object { scanner, key in
                guard members.updateValue(try read(&scanner), forKey: key) == nil else {
                    throw scanner.fault(.duplicateKey, "the key \(StoreError.quoted(key)) stands twice in one object")
                }
            }
            return .object(members)
        case .array:
            var values: [JSONValue] = []
            try scanner.array { values.append(try read(&$0)) }
            return .array(values)
        case .string: return .string(try scanner.string())
        case .number:
            let start = scanner.position, number = try scanner.number()
            if number.isInteger {
                guard let value = Int64(number.literal) else {
                    throw scanner.fault(.numberRange, byte: start, "an integer has more than 64 bits", found: String(number.literal.prefix(40)))
                }
                return .integer(value)
            }
            guard let value = number.double else {
                throw scanner.fault(.numberRange, byte: start, "a number is too large for a double", found: String(number.literal.prefix(40)))
            }
            return .number(value)
        case .boolean: return .bool(try scanner.boolean())
        case .null:
            try scanner.null()
            return .null
        case .other: throw scanner.syntax("a value is missing")
        }
    }
}
