import Foundation
import Models
import Tensors

/// A model's weights as they lie outside the store: what it is, and which tensor of the file each of its parameters comes from.
struct SourceModel {
    let description: ModelDescription
    let checkpoint: any SafeTensorsSource
    /// The parameters that the file has, in the layout's order; without a whole head none of the head's but a pre-trained pooler.
    let plan: [(entry: ParameterLayout.Entry, source: String)]
    private let file: URL

    /// - Parameter weights: a folder with weights, or a safetensors file.
    /// - Throws: `FormatError` for a file that is not there or not sound, and naming the first tensor that the encoder lacks.
    init(_ config: HuggingFaceConfig, weights: URL) throws {
        file = weights
        let configuration = EncoderConfiguration(config)
        checkpoint = try SafeTensorsCheckpoint.open(weights)
        let names = try TensorNames(checkpoint, configuration, weights)
        let head = Self.head(config, configuration, names)
        description = ModelDescription(configuration: configuration, head: head, task: nil)
        let layout = SequenceModel<CPUBackend>.layout(
            configuration, head?.configuration ?? HeadConfiguration(outputs: 1, loss: .crossEntropy))
        plan = try layout.entries.compactMap { entry in
            guard let source = names.source[entry.name] else {
                // A new head is made when the model is adapted; the encoder must be whole.
                guard entry.unit == .head else { throw names.missing(entry, weights) }
                return nil
            }
            guard entry.unit != .head || head != nil || Self.isEncoders(entry, configuration) else { return nil }
            return (entry, source)
        }
    }

    /// The values of one parameter of the plan.
    ///
    /// - Throws: `FormatError` naming the tensor when its shape is not the parameter's, or a value is not finite.
    func values(_ entry: ParameterLayout.Entry, _ source: String, allowNonFinite: Bool = false) throws -> [Float] {
        let info = try checkpoint.info(source)
        guard info.shape == entry.shape else {
            throw FormatError(
                .shapeMismatch, file: file.lastPathComponent, tensor: source,
                "the tensor's shape does not fit the configuration", expected: "\(entry.shape)", found: "\(info.shape)",
                advice: "Check that config.json belongs to these weights.")
        }
        return try checkpoint.float32(source, allowNonFinite: allowNonFinite)
    }

    private static func isEncoders(_ entry: ParameterLayout.Entry, _ c: EncoderConfiguration) -> Bool {
        c.family.denseIsPretrained && entry.name.hasPrefix(c.family.denseName + ".")
    }

    /// The head that the file brings, if it brings a whole one, and its classifier is not one of something else, such as tokens.
    private static func head(_ config: HuggingFaceConfig, _ c: EncoderConfiguration, _ names: TensorNames) -> ModelDescription.Head? {
        let needed = [c.family.outputName + ".weight", c.family.outputName + ".bias", c.family.denseName + ".weight",
                      c.family.denseName + ".bias"]
        guard needed.allSatisfy({ names.source[$0] != nil }) else { return nil }
        let architectures = config.architectures
        guard architectures.isEmpty || architectures.contains(where: { $0.hasSuffix("ForSequenceClassification") }) else { return nil }
        let outputs = config.labelCount
        let loss: HeadConfiguration.Loss = switch config.problemType {
        case .regression: .meanSquaredError
        case .singleLabel: .crossEntropy
        case .multiLabel: .binaryCrossEntropy
        // As `transformers` decides when it is not said: one output is a regression.
        case nil: outputs == 1 ? .meanSquaredError : .crossEntropy
        }
        let labels = loss == .meanSquaredError ? [] : config.labels ?? (0..<outputs).map { "LABEL_\($0)" }
        return .init(configuration: HeadConfiguration(outputs: outputs, loss: loss), labels: labels)
    }
}
