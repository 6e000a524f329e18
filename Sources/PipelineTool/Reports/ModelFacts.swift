import Models
import Pipeline
import Store

/// A model's architecture for programs and people.
struct ModelFacts {
    private let description: ModelDescription

    init(_ description: ModelDescription) { self.description = description }

    var json: JSONValue {
        let c = description.configuration
        return [
            "family": .string(c.family.identifier), "layers": .integer(Int64(c.layerCount)),
            "hidden_size": .integer(Int64(c.hiddenSize)),
            "heads": .integer(Int64(c.headCount)), "intermediate_size": .integer(Int64(c.intermediateSize)),
            "vocabulary_size": .integer(Int64(c.vocabularySize)),
            "longest_sequence": .integer(Int64(c.longestSequence)),
            "head": description.head.map { head in
                [
                    "outputs": .integer(Int64(head.configuration.outputs)),
                    "loss": .string(head.configuration.loss.rawValue),
                    "labels": .array(head.labels.map { .string($0) }),
                ]
            } ?? .null,
            "task": description.task.map { .string($0.name) } ?? .null,
        ]
    }

    var pairs: [(String, String)] {
        let c = description.configuration
        var pairs = [
            ("family", c.family.identifier),
            ("shape", "\(c.layerCount) layers of \(c.hiddenSize), \(c.headCount) heads, \(c.intermediateSize) between"),
            ("vocabulary", "\(NumberText.count(c.vocabularySize)) tokens"),
            ("longest", "\(c.longestSequence) tokens"),
        ]
        if let head = description.head {
            let labels =
                head.labels.isEmpty ? "a number" : head.labels.map { FormatError.printable($0) }.joined(separator: ", ")
            pairs.append(
                (
                    "head",
                    "\(head.configuration.outputs) \(head.configuration.outputs == 1 ? "output" : "outputs"): \(labels)"
                ))
        } else {
            pairs.append(("head", "none; adapting makes one"))
        }
        if let task = description.task { pairs.append(("task", task.name)) }
        return pairs
    }
}
