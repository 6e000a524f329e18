import Foundation
import Models
import Tensors

/// The model that a benchmark computes with: a shape with random weights and two classes, or a Hugging Face model folder.
struct BenchmarkModel {
    let configuration: EncoderConfiguration
    let head: HeadConfiguration
    private let source: SourceModel?

    /// - Parameter layers: other than the shape's own number of them.
    init(_ shape: BenchmarkShape, layers: Int? = nil) {
        configuration = shape.configuration(layers: layers)
        head = HeadConfiguration(outputs: 2, loss: .crossEntropy)
        source = nil
    }

    /// - Parameter folder: has `config.json` and the weights in safetensors form; a bare encoder gets a random head of two classes.
    /// - Throws: `FormatError` as an import does.
    init(folder: URL) throws {
        let config = try HuggingFaceConfig(contentsOf: folder.appendingPathComponent("config.json"))
        let source = try SourceModel(config, weights: folder)
        configuration = source.description.configuration
        head = source.description.head?.configuration ?? HeadConfiguration(outputs: 2, loss: .crossEntropy)
        self.source = source
    }

    /// The folder's weights, and random ones in place of those that it does not have.
    ///
    /// - Throws: `FormatError` naming the tensor whose shape or values are not fit.
    func weights(_ layout: ParameterLayout) throws -> Parameters {
        let weights = Parameters(layout: layout)
        var missing = layout.entries.map(\.name)
        if let source {
            for (entry, name) in source.plan {
                guard let own = layout[entry.name] else { continue }
                _ = weights[own].update(fromContentsOf: try source.values(own, name))
            }
            let found = Set(source.plan.map(\.entry.name))
            missing.removeAll { found.contains($0) }
        }
        WeightInitialization.fill(weights, names: missing, deviation: configuration.initializerRange, seed: 0)
        return weights
    }
}
