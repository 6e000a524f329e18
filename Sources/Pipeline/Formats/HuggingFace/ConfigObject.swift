/// A JSON object read key by key, with errors that name the key, and a record of what was read and what was missing.
struct ConfigObject {
    let file: String
    let object: JSONObject
    private(set) var read: Set<String> = []
    private(set) var defaulted: [String] = []

    init(_ object: JSONObject, file: String) {
        self.object = object
        self.file = file
    }

    /// The value of a key that must be there. `null` counts as missing.
    mutating func required(_ key: String) throws -> JSONTree {
        guard let value = optional(key) else {
            throw FormatError(
                .missingKey, file: file, column: key, "the configuration lacks this key",
                advice: "Add it; nothing is assumed about the model.")
        }
        return value
    }

    /// The value of a key; nil when it is missing or `null`.
    mutating func optional(_ key: String) -> JSONTree? {
        read.insert(key)
        guard let value = object[key], value != .null else { return nil }
        return value
    }

    mutating func integer(_ key: String, _ range: ClosedRange<Int>) throws -> Int {
        try integer(key, required(key), range)
    }

    func integer(_ key: String, _ value: JSONTree, _ range: ClosedRange<Int>) throws -> Int {
        guard case .number(let number) = value, number.isInteger else { throw wrongType(key, "an integer", value) }
        guard let integer = number.integer, range.contains(integer) else {
            throw outOfRange(key, "\(range.lowerBound) to \(range.upperBound)", number.literal)
        }
        return integer
    }

    /// Records that a key is missing and has the value of `HuggingFaceConfig.Defaults`.
    mutating func noteDefault(_ key: String) {
        read.insert(key)
        defaulted.append(key)
    }

    /// A number in `range`, its upper end left out; `standard` when the key is missing.
    mutating func number(_ key: String, _ range: Range<Double>, standard: Double) throws -> Double {
        guard let value = optional(key) else {
            noteDefault(key)
            return standard
        }
        return try number(key, value, range)
    }

    func number(_ key: String, _ value: JSONTree, _ range: Range<Double>) throws -> Double {
        guard case .number(let number) = value, let double = number.double else {
            throw wrongType(key, "a number", value)
        }
        guard range.contains(double) else {
            throw outOfRange(key, "at least \(range.lowerBound), below \(range.upperBound)", number.literal)
        }
        return double
    }

    mutating func flag(_ key: String) throws -> Bool? {
        guard let value = optional(key) else { return nil }
        guard case .boolean(let flag) = value else { throw wrongType(key, "true or false", value) }
        return flag
    }

    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _ type: Choice.Type, reason: FormatReason = .unsupportedValue
    ) throws -> Choice where Choice.RawValue == String {
        let value = try required(key)
        return try choice(key, value, type, reason: reason)
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _ value: JSONTree, _ type: Choice.Type, reason: FormatReason = .unsupportedValue
    ) throws -> Choice where Choice.RawValue == String {
        guard case .string(let name) = value else { throw wrongType(key, "a string", value) }
        guard let choice = Choice(rawValue: name) else {
            throw FormatError(
                reason, file: file, column: key, "the value is not supported",
                expected: Choice.allCases.map(\.rawValue).joined(separator: ", "), found: "\"\(name)\"")
        }
        return choice
    }

    func wrongType(_ key: String, _ expected: String, _ found: JSONTree) -> FormatError {
        FormatError(
            .wrongKeyType, file: file, column: key, "the value is of the wrong kind", expected: expected,
            found: found.kindName)
    }

    func outOfRange(_ key: String, _ expected: String, _ found: String) -> FormatError {
        FormatError(
            .valueOutOfRange, file: file, column: key, "the value is out of range", expected: expected, found: found)
    }
}
