import JSON

/// Where JSON comes from, for error messages.
struct JSONPlace {
    let file: String
    var line: Int?
    /// Offset of the first byte in the file.
    var byte = 0
    /// The reason for text that is not JSON.
    var syntaxReason = FormatReason.jsonSyntax

    /// Names the file and the place in it where `body` throws a `JSONFault`.
    func naming<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let fault as JSONFault { throw error(fault) }
    }

    func error(_ fault: JSONFault) -> FormatError {
        let problem = fault.reason == .syntax ? "not valid JSON: " + fault.problem : fault.problem
        return FormatError(reason(fault.reason), file: file, line: line, byte: byte + fault.byte, problem, found: fault.found)
    }

    private func reason(_ reason: JSONFault.Reason) -> FormatReason {
        switch reason {
        case .invalidUTF8: .invalidUTF8
        case .syntax: syntaxReason
        case .tooDeep: .jsonTooDeep
        case .numberRange: .jsonNumberRange
        case .duplicateKey: .jsonDuplicateKey
        case .trailingBytes: .jsonTrailingBytes
        }
    }
}
