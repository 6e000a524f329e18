import Foundation
import Models
import Store
import Tensors

/// An adapted model and a labelled split → metrics and predictions.
///
/// Memoised by model, dataset, split and numeric path.
public struct EvaluateStage {
    public static let version = 1
    public static let artifactKind = "evaluation"

    /// A run or a model with a head.
    public var run: String
    /// nil takes the dataset that the run was adapted on.
    public var data: String?
    /// nil takes the task's development split.
    public var split: String?
    /// nil takes that of the model's adaptation.
    public var precision: Precision?

    public init(run: String, data: String? = nil, split: String? = nil, precision: Precision? = nil) {
        (self.run, self.data, self.split, self.precision) = (run, data, split, precision)
    }

    public struct Result: Sendable {
        public let model: Digest
        public let task: TaskDefinition
        public let split: String
        public let examples: Int
        /// Empty for a split without labels.
        public let metrics: [NamedValue]
        /// Logits [examples, outputs].
        public let logits: [Float]
        public let lines: [Int]
        public let identifiers: [String]?
        /// Tokens of the split.
        public let tokens: Int
        /// Of all forward passes, packing included; nil for what was found in the store.
        public let seconds: Double?
        public var wasCached: Bool { seconds == nil }
        public let numericPath: String
    }

    public func run(_ context: StageContext) throws -> Result {
        let store = context.store
        let model = try StoredModel.find(run, in: store)
        let dataset = try data.map { try PreparedDataset.find($0, in: store) } ?? adaptedOn(model, store)
        try dataset.check(fits: model)
        try Self.check(model, predicts: dataset.task)
        let task = dataset.task, name = split ?? task.developmentSplit
        let tokens = try dataset.load(split: name, from: store, for: model)
        let (weights, head) = try model.weights()
        let backend = CPUBackend(threads: context.threads, precision: precision ?? model.precision)
        let path = backend.numericPath
        let provenance = Provenance(
            stage: "eval", stageVersion: Self.version, recipe: ["split": .string(name), "numeric_path": .string(path)],
            inputs: ["model": model.digest, "dataset": dataset.digest])
        let key = try provenance.stageKey()
        func result(_ logits: [Float], seconds: Double?) -> Result {
            Result(model: model.digest, task: task, split: name, examples: tokens.count,
                   metrics: tokens.isLabelled ? Prediction.metrics(logits, tokens, task) : [], logits: logits, lines: tokens.lines,
                   identifiers: tokens.identifiers, tokens: tokens.ids.count, seconds: seconds, numericPath: path)
        }
        if let digest = try store.memoized(key), let blob = try store.artifact(digest).blob("logits") {
            var logits = [Float](repeating: 0, count: blob.byteCount / 4)
            try logits.withUnsafeMutableBytes { try store.read(blob, into: $0) }
            if logits.count == tokens.count * head.outputs { return result(logits, seconds: nil) }
        }
        let capacity = max(4096, tokens.longest)
        let network = SequenceModel(model.description.configuration, head, backend: backend, tokenCapacity: capacity,
                                    sequenceCapacity: 1024, trains: false)
        let clock = ContinuousClock(), started = clock.now
        let logits = try Evaluator(model: network).logits(tokens, weights, isCancelled: context.isCancelled) {
            context.observe(.progress(done: $0, total: tokens.count, unit: "examples"))
        }
        let outcome = result(logits, seconds: Trainer.seconds(clock.now - started))
        if store.mode == .readWrite {
            let writer = try store.writer()
            try logits.withUnsafeBytes {
                try writer.add(name: "logits", bytes: $0, elementType: ElementType.float32.rawValue, shape: [tokens.count, head.outputs])
            }
            let digest = try writer.commit(
                kind: Self.artifactKind,
                attributes: [
                    "split": .string(name), "examples": .integer(Int64(tokens.count)), "numeric_path": .string(path),
                    "metrics": .array(outcome.metrics.map { ["name": .string($0.name), "value": $0.value.map { .number($0) } ?? .null] }),
                ], provenance: provenance)
            try store.memoize(key, digest)
        }
        return outcome
    }

    /// The dataset that the model's own adaptation read.
    private func adaptedOn(_ model: StoredModel, _ store: Store) throws -> PreparedDataset {
        guard let digest = model.artifact.provenance.inputs["dataset"] else {
            throw PipelineError(.usage, "the model was not adapted here, so its dataset is not known", advice: "Give --data.")
        }
        return try PreparedDataset(digest: digest, artifact: store.artifact(digest))
    }

    /// Refuses a model whose outputs mean something else than the task's labels.
    static func check(_ model: StoredModel, predicts task: TaskDefinition) throws {
        guard let head = model.description.head else { _ = try model.weights(); return }
        let wanted = HeadConfiguration(task)
        guard head.configuration == wanted else {
            throw PipelineError(
                .unfitInput, "the model predicts \(head.configuration.outputs) outputs for \(head.configuration.loss.rawValue), the dataset needs "
                    + "\(wanted.outputs) for \(wanted.loss.rawValue)", advice: "Evaluate on a dataset of the model's own task.")
        }
        guard head.means(task.labels) else {
            // GLUE's labels have their order.
            let isReordered = GLUECatalogue.task(named: task.name) == nil && head.labels.sorted() == task.labels.sorted()
            throw PipelineError(
                .unfitInput, "the model's labels are \(head.labels.joined(separator: ", ")) and the dataset's \(task.labels.joined(separator: ", "))",
                advice: isReordered ? "Prepare the dataset with --labels \(head.labels.joined(separator: ","))."
                    : "Evaluate on a dataset of the model's own task, with the model's labels in their order.")
        }
        if let own = model.description.task, own.isPair != task.isPair {
            throw PipelineError(
                .unfitInput, own.isPair ? "the model takes pairs of texts, and the dataset has single texts"
                    : "the model takes single texts, and the dataset has pairs", advice: "Evaluate on a dataset of the model's own task.")
        }
    }
}
