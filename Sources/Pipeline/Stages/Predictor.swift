import Foundation
import Models
import Store
import Tensors
import Tokenizers

/// Texts → predictions of an adapted model, without touching the store.
public final class Predictor {
    /// What the model says about one text or pair.
    public struct Output: Sendable {
        /// The label of the highest probability, the labels above one half, or nil for a regression.
        public let labels: [String]
        /// In the order of `labelNames`; nil for a regression.
        public let probabilities: [Double]?
        /// Of a regression.
        public let value: Double?
        public let logits: [Float]
        public let wasTruncated: Bool
    }

    public let model: Digest
    public let labelNames: [String]
    public let isPair: Bool?
    /// Whether a text may have any number of labels.
    public var isMultiLabel: Bool { if case .multiLabel = task.kind { true } else { false } }
    private let task: TaskDefinition
    private let tokenizer: any Tokenizer
    private let weights: Parameters
    private let evaluator: Evaluator
    private let configuration: EncoderConfiguration
    private let maxLength: Int
    private let context: StageContext

    /// - Parameters:
    ///   - maxLength: nil takes that of the dataset the model was adapted on, or the model's own limit.
    ///   - precision: nil takes that of the model's adaptation.
    public init(_ text: String, maxLength: Int? = nil, precision: Precision? = nil, context: StageContext) throws {
        let stored = try StoredModel.find(text, in: context.store)
        let (weights, head) = try stored.weights()
        guard head.loss != .meanSquaredError || head.outputs == 1 else {
            throw PipelineError(.unfitInput, "the model is a regression with \(head.outputs) values for a text, and only those with one are supported",
                                advice: "Adapt it to a task with one value, which makes a new head.")
        }
        let longest = stored.description.configuration.longestSequence
        if let maxLength, maxLength < 4 || maxLength > longest {
            throw PipelineError(.usage, "a maximum length of \(maxLength) tokens does not fit the model",
                                advice: "Give --max-length between 4 and \(longest).")
        }
        var length = maxLength ?? longest
        if maxLength == nil, let digest = stored.artifact.provenance.inputs["dataset"],
           let dataset = try? PreparedDataset(digest: digest, artifact: context.store.artifact(digest)) {
            length = min(longest, dataset.maxLength)
        }
        let names = stored.description.head?.labels ?? []
        labelNames = names.isEmpty && head.loss != .meanSquaredError ? (0..<head.outputs).map { "LABEL_\($0)" } : names
        isPair = stored.description.task?.isPair
        let kind: TaskDefinition.Kind = switch head.loss {
        case .crossEntropy: .classification(labels: labelNames)
        case .binaryCrossEntropy: .multiLabel(labels: labelNames)
        case .meanSquaredError: .regression(range: nil)
        }
        let metric = head.loss == .meanSquaredError ? "pearson" : "accuracy"
        task = stored.description.task ?? TaskDefinition(name: "prediction", kind: kind, isPair: false, metrics: [metric], primaryMetric: metric)
        model = stored.digest
        tokenizer = try stored.tokenizer()
        configuration = stored.description.configuration
        self.weights = weights
        self.maxLength = length
        self.context = context
        evaluator = Evaluator(model: SequenceModel(
            stored.description.configuration, head,
            backend: CPUBackend(threads: context.threads, precision: precision ?? stored.precision), tokenCapacity: max(4096, length),
            sequenceCapacity: 1024, trains: false))
    }

    public func predict(_ texts: [(text: String, pair: String?)]) throws -> [Output] {
        var split = TokenSplit(name: "", ids: [], starts: [0], types: [], lines: [])
        var truncated: [Bool] = []
        if texts.contains(where: { $0.pair != nil }) { try configuration.check(takes: tokenizer, pairs: true) }
        for (text, pair) in texts {
            let encoding = try tokenizer.encode(text, pair: pair, maxLength: maxLength)
            split.ids += encoding.ids
            split.types += encoding.typeIDs
            split.starts.append(split.ids.count)
            truncated.append(encoding.wasTruncated)
        }
        let logits = try evaluator.logits(split, weights, isCancelled: context.isCancelled)
        let K = task.outputCount
        return zip(Prediction.labels(logits, task), truncated).enumerated().map { index, item in
            let row = logits[index * K..<(index + 1) * K]
            let labels: [String], value: Double?
            switch item.0 {
            case .classIndex(let c): (labels, value) = ([labelNames[c]], nil)
            case .labelSet(let set): (labels, value) = (set.map { labelNames[$0] }, nil)
            case .value(let v): (labels, value) = ([], v)
            }
            return Output(labels: labels, probabilities: Prediction.probabilities(row, task), value: value, logits: Array(row),
                          wasTruncated: item.1)
        }
    }
}
