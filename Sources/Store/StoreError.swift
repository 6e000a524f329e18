/// What went wrong in the store, with the facts a person or a program needs to act.
public struct StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The class of a failure; one code maps to one exit code of the tool.
    public enum Code: String, Sendable {
        /// The folder is not a store.
        case notAStore
        /// The store was written by a newer version.
        case newerFormat
        /// Bytes in the store are not what was written.
        case damaged
        /// An artifact, blob or name that is not there.
        case notFound
        /// A digest prefix or name fits several artifacts.
        case ambiguous
        /// A name that is in use and was not to be replaced.
        case nameInUse
        /// A name, kind or element type that the store does not take.
        case invalidName
        /// Text that is not a digest.
        case invalidDigest
        /// JSON that is not acceptable.
        case invalidJSON
        /// A manifest or a reference to bytes that contradicts itself.
        case invalidManifest
        /// Writing to a store that was opened read-only.
        case readOnly
        /// No space left on the device or a quota reached.
        case diskFull
        /// The operating system refused an operation.
        case inputOutput
        /// The index stayed locked by another process.
        case busy
    }

    public var code: Code
    /// What was being done, as a verb phrase.
    public var operation: String
    /// The file or folder, where there is one.
    public var path: String?
    public var expected: String?
    public var found: String?
    /// What to do next.
    public var advice: String?

    public init(
        _ code: Code, operation: String, path: String? = nil, expected: String? = nil, found: String? = nil,
        advice: String? = nil
    ) {
        self.code = code
        self.operation = operation
        self.path = path
        self.expected = expected
        self.found = found
        self.advice = advice
    }

    /// Whether stored bytes are wrong: the tool exits with code 2.
    public var isDamage: Bool { code == .damaged }

    public var description: String { fact + (advice.map { "; \($0)" } ?? "") }

    /// What happened, without what to do.
    var fact: String {
        var text = "cannot \(operation)"
        if let path { text += " (\(path))" }
        if let found { text += ": found \(found)" }
        if let expected { text += found == nil ? ": expected \(expected)" : ", expected \(expected)" }
        return text
    }

    /// Foreign text made safe for a message: cut to 80 characters, control characters escaped.
    static func quoted(_ text: String) -> String {
        var result = "'"
        for scalar in text.unicodeScalars.prefix(80) {
            result += scalar.value < 0x20 || scalar.value == 0x7f ? scalar.escaped(asASCII: true) : String(scalar)
        }
        if text.unicodeScalars.dropFirst(80).first != nil { result += "…" }
        return result + "'"
    }
}
