/// A number as it is written, so that no digit is lost before the reader knows what it needs.
public struct JSONNumber: Hashable, Sendable {
    public let literal: String
    /// Whether it is written without a fraction and without an exponent.
    public let isInteger: Bool
    public let isNegative: Bool

    public init(literal: String, isInteger: Bool, isNegative: Bool) {
        self.literal = literal
        self.isInteger = isInteger
        self.isNegative = isNegative
    }

    /// The value when it is written as an integer and fits.
    public var integer: Int? { isInteger ? Int(literal) : nil }

    /// The nearest double, or nil when the number is beyond the range of finite doubles.
    public var double: Double? {
        guard let value = Double(literal), value.isFinite else { return nil }
        return value
    }
}
