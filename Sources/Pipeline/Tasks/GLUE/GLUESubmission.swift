import Foundation

/// The file that GLUE's server takes: a header and one line for each example of a test set.
public struct GLUESubmission: Hashable, Sendable {
    public let fileName: String
    /// `index`, a tab, `prediction`, one line for each example.
    public let text: String

    /// - Parameters:
    ///   - split: the name of the split.
    ///   - identifiers: of the examples; nil numbers them from 0.
    ///   - predictions: one for each example; label indices, or values, which are limited to the task's range.
    /// - Returns: nil when GLUE takes no predictions for the split.
    public init?(_ task: GLUETask, split: String, identifiers: [String]?, predictions: [Example.Label]) {
        guard let name = task.splits.first(where: { $0.name == split })?.submission else { return nil }
        precondition(identifiers.map { $0.count == predictions.count } ?? true, "there must be one prediction for each example")
        var text = "index\tprediction\n"
        for (row, prediction) in predictions.enumerated() {
            text += "\(identifiers?[row] ?? String(row))\t\(Self.form(prediction, task))\n"
        }
        fileName = name
        self.text = text
    }

    /// For a split at hand.
    public init?(_ task: GLUETask, _ split: LoadedSplit, predictions: [Example.Label]) {
        let identifiers = split.examples.enumerated().map { row, example in example.identifier ?? String(row) }
        self.init(task, split: split.name, identifiers: identifiers, predictions: predictions)
    }

    private static func form(_ prediction: Example.Label, _ task: GLUETask) -> String {
        switch (prediction, task.submissionForm) {
        case (.classIndex(let index), .code): return task.definition.codes[index]
        case (.value(let value), .number(let range)):
            return String(format: "%.3f", min(range.upperBound, max(range.lowerBound, value)))
        default: preconditionFailure("the prediction is of another kind than the task \(task.name)")
        }
    }
}
