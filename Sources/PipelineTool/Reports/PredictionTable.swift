import Pipeline
import Store

/// The predictions of an evaluation as a file.
struct PredictionTable {
    let labels: [Example.Label]
    private let result: EvaluateStage.Result

    init(_ result: EvaluateStage.Result) {
        self.result = result
        labels = Prediction.labels(result.logits, result.task)
    }

    private func row(_ example: Int) -> PredictionRow {
        let K = result.task.outputCount
        let logits = result.logits[example * K..<(example + 1) * K]
        let names = result.task.labels
        let labels: [String]
        let value: Double?
        switch self.labels[example] {
        case .classIndex(let index): (labels, value) = ([names[index]], nil)
        case .labelSet(let set): (labels, value) = (set.map { names[$0] }, nil)
        case .value(let number): (labels, value) = ([], number)
        }
        return PredictionRow(
            labels: labels, probabilities: Prediction.probabilities(logits, result.task), value: value,
            logits: Array(logits))
    }

    private var isMultiLabel: Bool { if case .multiLabel = result.task.kind { true } else { false } }

    private func identifier(_ example: Int) -> String { result.identifiers?[example] ?? String(example) }

    /// A header and a line for each example: its identifier or number, the prediction, its line in the file, and the
    /// probability of each label.
    var tabSeparated: String {
        var text = TabSeparatedText.line(["index", "prediction", "line"] + result.task.labels)
        for example in labels.indices {
            let row = row(example)
            text += TabSeparatedText.line(
                [identifier(example), row.text(isMultiLabel: isMultiLabel), String(result.lines[example])]
                    + (row.probabilities ?? []).map { "\($0)" })
        }
        return text
    }

    /// One object a line.
    func jsonLines() throws -> String {
        try labels.indices.map { example in
            var members = row(example).members(result.task.labels, isMultiLabel: isMultiLabel)
            members["index"] = .string(identifier(example))
            members["line"] = .integer(Int64(result.lines[example]))
            return try JSONValue.object(members).canonicalText() + "\n"
        }.joined()
    }
}
