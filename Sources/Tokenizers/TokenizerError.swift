/// Why a tokenizer could not be read, built, written or used. Carries facts; `description` makes one sentence of them.
public struct TokenizerError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        case malformedJSON = "malformed-json"
        case malformedMerges = "malformed-merges"
        case invalidUTF8 = "invalid-utf8"
        case duplicateToken = "duplicate-token"
        case nonContiguousIDs = "non-contiguous-ids"
        case missingToken = "missing-token"
        case unwritableToken = "unwritable-token"
        case unknownMerge = "unknown-merge"
        case duplicateMerge = "duplicate-merge"
        case unsupported
        case conflict
        case undecidedCase = "undecided-case"
        case missingFile = "missing-file"
        case inputTooLong = "input-too-long"
        case maximumLengthTooSmall = "maximum-length-too-small"
    }

    public let reason: Reason
    /// What was being done, for example `reading the vocabulary`.
    public let operation: String
    public let file: String?
    /// Counted from 1. In a JSON file: the line on which the value starts.
    public let line: Int?
    public let expected: String?
    public let found: String?
    /// What to do about it.
    public let advice: String?

    public init(
        _ reason: Reason, _ operation: String, file: String? = nil, line: Int? = nil, expected: String? = nil,
        found: String? = nil, advice: String? = nil
    ) {
        self.reason = reason
        self.operation = operation
        self.file = file
        self.line = line
        self.expected = expected
        self.found = found
        self.advice = advice
    }

    public var description: String {
        var text = operation
        if let file { text += ", \(file)" }
        if let line { text += ", line \(line)" }
        text += ": "
        switch (expected, found) {
        case (let expected?, let found?): text += "expected \(expected), found \(found)"
        case (let expected?, nil): text += "expected \(expected)"
        case (nil, let found?): text += found
        case (nil, nil): text += reason.rawValue
        }
        if let advice { text += "; \(advice)" }
        return text
    }
}
