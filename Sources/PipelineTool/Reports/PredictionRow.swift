import Pipeline
import Store

/// One prediction with everything that follows from its logits.
struct PredictionRow {
    /// One of a classification, any number of a multi-label task, none of a regression.
    let labels: [String]
    /// In the order of the task's labels; nil for a regression.
    let probabilities: [Double]?
    let value: Double?
    let logits: [Float]

    /// Members of a JSON object, see `Schemas/prediction.schema.json`.
    func members(_ labelNames: [String], isMultiLabel: Bool) -> [String: JSONValue] {
        var members: [String: JSONValue] = ["logits": .array(logits.map { JSONValue(finite: Double($0)) })]
        if let value {
            members["value"] = JSONValue(finite: value)
        } else if isMultiLabel {
            members["labels"] = .array(labels.map { .string($0) })
        } else {
            members["label"] = labels.first.map { .string($0) } ?? .null
        }
        if let probabilities {
            members["probabilities"] = .object(
                Dictionary(zip(labelNames, probabilities.map { JSONValue(finite: $0) })) { first, _ in first })
        }
        return members
    }

    /// The prediction as one field of a table: the label, labels with commas between, or the value. Several labels one of which has a
    /// comma itself are a JSON array, as `prepare` reads it.
    func text(isMultiLabel: Bool) -> String {
        if let value { return "\(value)" }
        guard isMultiLabel, labels.contains(where: { $0.utf8.contains(UInt8(ascii: ",")) || $0.utf8.first == UInt8(ascii: "[") }) else {
            return labels.joined(separator: ",")
        }
        return (try? JSONValue.array(labels.map { .string($0) }).canonicalText()) ?? ""
    }
}

/// Tab-separated text. What would break a table is written as `\t`, `\n`, `\r` and `\\`.
enum TabSeparatedText {
    static func line(_ fields: [String]) -> String { fields.map(escaped).joined(separator: "\t") + "\n" }

    private static func escaped(_ field: String) -> String {
        guard field.utf8.contains(where: { "\t\n\r\\".utf8.contains($0) }) else { return field }
        var text = ""
        for scalar in field.unicodeScalars {
            switch scalar {
            case "\t": text += "\\t"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\\": text += "\\\\"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
