/// Why bytes are not the JSON that they should be, and where. Who reads a file makes the message of it.
public struct JSONFault: Error, Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        case invalidUTF8, syntax, tooDeep, numberRange, duplicateKey, trailingBytes
    }

    public let reason: Reason
    /// Offset from the first byte that was read, counted from 0.
    public let byte: Int
    /// What is wrong, in one clause without a full stop.
    public let problem: String
    public let found: String?

    public init(_ reason: Reason, byte: Int, _ problem: String, found: String? = nil) {
        self.reason = reason
        self.byte = byte
        self.problem = problem
        self.found = found
    }
}
