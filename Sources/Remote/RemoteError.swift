/// What went wrong with another place, with the facts a person or a program needs to act.
public struct RemoteError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The class of a failure; one code maps to one exit code of the tool.
    public enum Code: String, Sendable, CaseIterable {
        /// An address that cannot be understood, or must not be used.
        case invalidAddress
        /// Nothing of that name is there.
        case notFound
        /// Several things are there and no name was given.
        case ambiguous
        /// The name stands for something else there and was not to be replaced.
        case nameInUse
        /// Credentials are missing, wrong, or do not allow it.
        case unauthorized
        /// The other side cannot be reached, or kept failing.
        case unavailable
        /// The other side sent something else than it announced or than its digest says.
        case wrongContent
        /// The other side does not keep to its protocol, or to what we can take.
        case unexpectedAnswer
        /// A file on this side cannot be read or written.
        case inputOutput
    }

    public var code: Code
    /// What was being done, as a verb phrase.
    public var operation: String
    /// The address, where there is one.
    public var place: String?
    public var expected: String?
    public var found: String?
    /// What to do next.
    public var advice: String?

    public init(
        _ code: Code, operation: String, place: String? = nil, expected: String? = nil, found: String? = nil,
        advice: String? = nil
    ) {
        (self.code, self.operation, self.place) = (code, operation, place)
        (self.expected, self.found, self.advice) = (expected, found, advice)
    }

    public var description: String {
        var text = "cannot \(operation)"
        if let place { text += " (\(Self.printable(place)))" }
        if let found { text += ": found \(found)" }
        if let expected { text += found == nil ? ": expected \(expected)" : ", expected \(expected)" }
        if let advice { text += "; \(advice)" }
        return text
    }

    /// Foreign text made safe for a message: cut, control characters escaped.
    static func printable(_ text: String, limit: Int = 200) -> String {
        var result = ""
        for scalar in text.unicodeScalars.prefix(limit) {
            result += scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) ? scalar.escaped(asASCII: true) : String(scalar)
        }
        return text.unicodeScalars.count > limit ? result + "…" : result
    }
}
