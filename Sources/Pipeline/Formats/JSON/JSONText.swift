import JSON

/// Writes JSON values as text.
enum JSONText {
    /// `value` on several lines, indented by two spaces a level, keys in their order, as `transformers` writes its
    /// files.
    static func pretty(_ value: JSONTree, indentation: Int = 0) -> String {
        let inner = String(repeating: "  ", count: indentation + 1)
        let outer = String(repeating: "  ", count: indentation)
        switch value {
        case .object(let object):
            guard !object.members.isEmpty else { return "{}" }
            let lines = object.members.map { member in
                inner + quoted(member.key) + ": " + pretty(member.value, indentation: indentation + 1)
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n" + outer + "}"
        case .array(let elements):
            guard !elements.isEmpty else { return "[]" }
            let lines = elements.map { inner + pretty($0, indentation: indentation + 1) }
            return "[\n" + lines.joined(separator: ",\n") + "\n" + outer + "]"
        case .string(let text): return quoted(text)
        case .number(let number): return number.literal
        case .boolean(let flag): return flag ? "true" : "false"
        case .null: return "null"
        }
    }

    /// `text` as a JSON string. Only what must be escaped is escaped.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension JSONTree {
    init(_ value: Int) {
        self = .number(JSONNumber(literal: String(value), isInteger: true, isNegative: value < 0))
    }

    /// A finite double in the shortest form that reads back as the same value.
    init(_ value: Double) {
        precondition(value.isFinite)
        self = .number(JSONNumber(literal: "\(value)", isInteger: false, isNegative: value < 0))
    }
}
