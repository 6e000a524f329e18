import Foundation
import Models
import Store
import Tensors

/// Everything about a stored model but its weights and vocabulary: the attributes of an artifact of kind `model`.
public struct ModelDescription: Hashable, Sendable {
    /// What the outputs mean.
    public struct Head: Hashable, Sendable {
        public var configuration: HeadConfiguration
        /// By output; empty for a regression.
        public var labels: [String]

        /// Whether the outputs mean these labels, in this order. Labels that say no more than their numbers, as those do that
        /// `transformers` makes up, may be of any names, but not of other numbers.
        func means(_ names: [String]) -> Bool {
            func number(_ label: String) -> Int? { Int(label.hasPrefix("LABEL_") ? String(label.dropFirst(6)) : label) }
            if labels == names { return true }
            guard labels.indices.allSatisfy({ number(labels[$0]) == $0 }) else { return false }
            return !names.allSatisfy { number($0) != nil } || names.indices.allSatisfy { number(names[$0]) == $0 }
        }
    }

    public var configuration: EncoderConfiguration
    /// nil for a bare encoder.
    public var head: Head?
    /// What the head was adapted to; nil for models from elsewhere.
    public var task: TaskDefinition?

    public init(configuration: EncoderConfiguration, head: Head?, task: TaskDefinition?) {
        self.configuration = configuration
        self.head = head
        self.task = task
    }

    public static let artifactKind = "model"
    static let tensorPrefix = "tensors/"

    /// As attributes of the artifact.
    func attributes() throws -> JSONValue {
        let c = configuration
        var members: [String: JSONValue] = [
            "family": .string(c.family.identifier), "vocabulary_size": .integer(Int64(c.vocabularySize)),
            "hidden_size": .integer(Int64(c.hiddenSize)), "layers": .integer(Int64(c.layerCount)),
            "heads": .integer(Int64(c.headCount)), "intermediate_size": .integer(Int64(c.intermediateSize)),
            "positions": .integer(Int64(c.maxPositions)), "types": .integer(Int64(c.typeVocabularySize)),
            "layer_norm_epsilon": .number(c.layerNormEpsilon), "activation": .string(c.activation.rawValue),
            "hidden_dropout": .number(Double(c.hiddenDropout)), "attention_dropout": .number(Double(c.attentionDropout)),
            "classifier_dropout": c.classifierDropout.map { .number(Double($0)) } ?? .null,
            "padding_id": .integer(Int64(c.padID)), "initializer_range": .number(c.initializerRange),
        ]
        if let head {
            members["head"] = [
                "outputs": .integer(Int64(head.configuration.outputs)), "loss": .string(head.configuration.loss.rawValue),
                "labels": .array(head.labels.map { .string($0) }),
            ]
        }
        if let task { members["task"] = try JSONValue(encoding: task) }
        return .object(members)
    }

    /// Reads an artifact's attributes.
    ///
    /// - Throws: `PipelineError` with code `unfitInput` when they are not those of a model.
    init(_ artifact: Artifact) throws {
        guard artifact.kind == Self.artifactKind else {
            throw PipelineError(.unfitInput, "a model is needed, and this is a \(artifact.kind)")
        }
        let a = artifact.attributes
        func missing(_ key: String) -> PipelineError {
            PipelineError(.unfitInput, "the stored model has no usable '\(key)'", advice: "Import it again.")
        }
        func integer(_ key: String) throws -> Int {
            guard let value = a[key]?.integerValue, value >= 0 else { throw missing(key) }
            return Int(value)
        }
        func number(_ key: String) throws -> Double {
            guard let value = a[key]?.doubleValue else { throw missing(key) }
            return value
        }
        guard let family = a["family"]?.stringValue.flatMap(ModelFamily.init(identifier:)) else { throw missing("family") }
        guard let activation = a["activation"]?.stringValue.flatMap(Activation.init(rawValue:)) else {
            throw missing("activation")
        }
        let (hidden, heads) = (try integer("hidden_size"), try integer("heads"))
        guard heads > 0, hidden % heads == 0 else { throw missing("heads") }
        configuration = EncoderConfiguration(
            family: family, vocabularySize: try integer("vocabulary_size"), hiddenSize: hidden,
            layerCount: try integer("layers"), headCount: heads, intermediateSize: try integer("intermediate_size"),
            maxPositions: try integer("positions"), typeVocabularySize: try integer("types"),
            layerNormEpsilon: try number("layer_norm_epsilon"), activation: activation,
            hiddenDropout: Float(try number("hidden_dropout")), attentionDropout: Float(try number("attention_dropout")),
            classifierDropout: a["classifier_dropout"]?.doubleValue.map { Float($0) }, padID: try integer("padding_id"),
            initializerRange: try number("initializer_range"))
        if let stored = a["head"] {
            guard let outputs = stored["outputs"]?.integerValue, outputs > 0,
                  let loss = stored["loss"]?.stringValue.flatMap(HeadConfiguration.Loss.init(rawValue:))
            else { throw missing("head") }
            head = Head(configuration: HeadConfiguration(outputs: Int(outputs), loss: loss),
                        labels: (stored["labels"]?.arrayValue ?? []).compactMap(\.stringValue))
        }
        task = try a["task"]?.decode(as: TaskDefinition.self)
    }
}

extension HeadConfiguration {
    /// The head and loss for a task.
    init(_ task: TaskDefinition) {
        let loss: Loss = switch task.kind {
        case .classification: .crossEntropy
        case .multiLabel: .binaryCrossEntropy
        case .regression: .meanSquaredError
        }
        self.init(outputs: task.outputCount, loss: loss)
    }
}

extension EncoderConfiguration {
    /// From a Hugging Face configuration, which has been validated.
    init(_ c: HuggingFaceConfig) {
        let activation: Activation = switch c.activation {
        case .gelu: .gelu
        case .geluNew, .geluTanh: .geluTanh
        case .relu: .relu
        }
        self.init(
            family: c.family == .bert ? .bert : .roberta, vocabularySize: c.vocabularySize, hiddenSize: c.hiddenSize,
            layerCount: c.layerCount, headCount: c.headCount, intermediateSize: c.intermediateSize,
            maxPositions: c.positionCount, typeVocabularySize: c.typeCount, layerNormEpsilon: c.layerNormEpsilon,
            activation: activation, hiddenDropout: Float(c.hiddenDropout), attentionDropout: Float(c.attentionDropout),
            classifierDropout: c.classifierDropout.map { Float($0) }, padID: c.paddingIdentifier ?? 0,
            initializerRange: c.initializerRange)
    }
}

extension HuggingFaceConfig {
    /// For export: what `transformers` needs to build the same model.
    init(_ description: ModelDescription) {
        let c = description.configuration
        let activation: Activation = switch c.activation {
        case .gelu, .none: .gelu
        case .geluTanh: .geluNew
        case .relu: .relu
        }
        self.init(
            family: c.family == .bert ? .bert : .roberta, vocabularySize: c.vocabularySize, hiddenSize: c.hiddenSize,
            layerCount: c.layerCount, headCount: c.headCount, intermediateSize: c.intermediateSize,
            positionCount: c.maxPositions, typeCount: c.typeVocabularySize, activation: activation)
        layerNormEpsilon = c.layerNormEpsilon
        // Through the shortest decimal form: 0.1 as a float is 0.1 in the file.
        hiddenDropout = Double(c.hiddenDropout.description) ?? Double(c.hiddenDropout)
        attentionDropout = Double(c.attentionDropout.description) ?? Double(c.attentionDropout)
        classifierDropout = c.classifierDropout.map { Double($0.description) ?? Double($0) }
        paddingIdentifier = c.padID
        initializerRange = c.initializerRange
        if let head = description.head {
            architectures = [c.family.classifierArchitecture]
            problemType = switch head.configuration.loss {
            case .crossEntropy: .singleLabel
            case .binaryCrossEntropy: .multiLabel
            case .meanSquaredError: .regression
            }
            labels = head.labels.isEmpty ? nil : head.labels
            if head.labels.isEmpty { labels = (0..<head.configuration.outputs).map { "LABEL_\($0)" } }
        } else {
            architectures = [c.family == .bert ? "BertModel" : "RobertaModel"]
        }
    }
}
