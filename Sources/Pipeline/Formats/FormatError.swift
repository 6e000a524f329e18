/// Why a file or a piece of text from outside was refused, and where.
///
/// Everything that reads input throws this one type. `description` is the whole message for the person at the terminal;
/// the other members let a program act on it. Text taken from the file is shortened and its control characters are
/// escaped, so a hostile file cannot write to the terminal.
public struct FormatError: Error, Hashable, Sendable, CustomStringConvertible {
    public let reason: FormatReason
    /// The file as it was named by the caller.
    public let file: String
    /// Counted from 1.
    public let line: Int?
    /// Offset from the start of the file, counted from 0.
    public let byte: Int?
    public let tensor: String?
    /// A column of a table, a key of an object or a field of a tensor's entry.
    public let column: String?
    /// What is wrong, in one clause without a full stop.
    public let problem: String
    public let expected: String?
    public let found: String?
    /// What to do about it, as a sentence.
    public let advice: String?

    public init(
        _ reason: FormatReason, file: String, line: Int? = nil, byte: Int? = nil, tensor: String? = nil,
        column: String? = nil, _ problem: String, expected: String? = nil, found: String? = nil, advice: String? = nil
    ) {
        self.reason = reason
        self.file = file
        self.line = line
        self.byte = byte
        self.tensor = tensor.map { Self.printable($0) }
        self.column = column.map { Self.printable($0) }
        self.problem = problem
        self.expected = expected
        self.found = found.map { Self.printable($0) }
        self.advice = advice
    }

    public var description: String {
        var place = [file]
        if let line { place.append("line \(line)") }
        if let byte { place.append("byte \(byte)") }
        if let tensor { place.append("tensor \"\(tensor)\"") }
        if let column { place.append("\"\(column)\"") }
        var text = place.joined(separator: ", ") + ": " + problem
        switch (expected, found) {
        case (let expected?, let found?): text += " (expected \(expected), found \(found))"
        case (let expected?, nil): text += " (expected \(expected))"
        case (nil, let found?): text += " (found \(found))"
        case (nil, nil): break
        }
        if let advice { text += ". " + advice }
        return text
    }

    /// `text` on one line: at most `limit` characters, control characters and line separators escaped.
    public static func printable(_ text: String, limit: Int = 120) -> String {
        var result = ""
        var count = 0
        for scalar in text.unicodeScalars {
            if count == limit { return result + "…" }
            count += 1
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            default:
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
