import Store

/// A finished adaptation: an artifact of kind `run`, with its log as blob `log.jsonl`.
public struct RunRecord: Hashable, Sendable {
    public static let artifactKind = "run"
    /// The blob of the run's log: JSON Lines, see `Schemas/log.schema.json`.
    public static let logName = "log.jsonl"

    /// The adapted model.
    public let model: Digest
    public let steps: Int
    public let epochs: Double
    /// The step whose weights were kept.
    public let selectedStep: Int
    /// Metrics of the kept weights on the development split; empty when it was never evaluated.
    public let metrics: [NamedValue]
    public let developmentSplit: String?
    /// Kernels and precision that computed it.
    public let numericPath: String
    public let seed: UInt64
    public let trainExamples: Int
    /// What all steps cost.
    public let passes: PassTotals

    init(model: Digest, steps: Int, epochs: Double, selectedStep: Int, metrics: [NamedValue], developmentSplit: String?,
         numericPath: String, seed: UInt64, trainExamples: Int, passes: PassTotals) {
        (self.model, self.steps, self.epochs, self.selectedStep, self.metrics) = (model, steps, epochs, selectedStep, metrics)
        (self.developmentSplit, self.numericPath, self.seed) = (developmentSplit, numericPath, seed)
        (self.trainExamples, self.passes) = (trainExamples, passes)
    }

    var attributes: JSONValue {
        [
            "model": .string(model.description), "steps": .integer(Int64(steps)), "epochs": .number(epochs),
            "selected_step": .integer(Int64(selectedStep)), "numeric_path": .string(numericPath),
            "seed": .integer(Int64(bitPattern: seed)), "split": developmentSplit.map { .string($0) } ?? .null,
            "train_examples": .integer(Int64(trainExamples)), "passes": passes.json,
            "metrics": .array(metrics.map { ["name": .string($0.name), "value": $0.value.map { .number($0) } ?? .null] }),
        ]
    }

    /// - Throws: `PipelineError` with code `unfitInput` when the artifact is no run.
    public init(_ artifact: Artifact) throws {
        let a = artifact.attributes
        guard artifact.kind == Self.artifactKind, let model = a["model"]?.stringValue.flatMap({ Digest($0) }),
              let steps = a["steps"]?.integerValue, let epochs = a["epochs"]?.doubleValue,
              let selected = a["selected_step"]?.integerValue, let path = a["numeric_path"]?.stringValue,
              let seed = a["seed"]?.integerValue, let examples = a["train_examples"]?.integerValue,
              let metrics = a["metrics"]?.arrayValue, let passes = a["passes"]
        else { throw PipelineError(.unfitInput, "the stored run is not one that this version understands") }
        try self.init(
            model: model, steps: Int(steps), epochs: epochs, selectedStep: Int(selected),
            metrics: metrics.compactMap { m in m["name"]?.stringValue.map { NamedValue($0, m["value"]?.doubleValue) } },
            developmentSplit: a["split"]?.stringValue, numericPath: path, seed: UInt64(bitPattern: seed), trainExamples: Int(examples),
            passes: PassTotals(json: passes))
    }
}
