import Foundation
import Models
import Tensors

/// A tiny model with what PyTorch says about it; made by make_goldens.py in its group's folder of Fixtures.
struct Golden {
    let name: String
    let configuration: EncoderConfiguration
    let head: HeadConfiguration
    let ids: [[Int32]], types: [[UInt8]]
    let labels: [Any]
    let weights: [String: [Float]]
    let expected: [String: [Float]]
    let training: [String: Any]?

    static let names = ["bert-four-heads", "bert-three-heads", "bert-one-head", "bert-five-heads", "roberta-four-heads",
                        "roberta-regression"]

    init(_ name: String, in group: String = "models") throws {
        self.name = name
        var root = URL(fileURLWithPath: #filePath)
        while !FileManager.default.fileExists(atPath: root.appendingPathComponent("Package.swift").path) {
            root.deleteLastPathComponent()
        }
        let folder = root.appendingPathComponent("Fixtures/\(group)/\(name)")
        func json(_ file: String) throws -> [String: Any] {
            try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appendingPathComponent(file))) as! [String: Any]
        }
        let config = try json("config.json"), batch = try json("batch.json")
        weights = try Self.tensors(folder.appendingPathComponent("model.safetensors"))
        expected = try Self.tensors(folder.appendingPathComponent("expected.safetensors"))
        training = try? json("training.json")
        ids = (batch["input_ids"] as! [[Int]]).map { $0.map(Int32.init) }
        types = (batch["token_type_ids"] as? [[Int]])?.map { $0.map(UInt8.init) } ?? ids.map { $0.map { _ in 0 } }
        labels = batch["labels"] as! [Any]
        let activations: [String: Activation] = ["gelu": .gelu, "gelu_new": .geluTanh, "relu": .relu]
        func int(_ key: String) -> Int { config[key] as! Int }
        func float(_ key: String) -> Float { (config[key] as! NSNumber).floatValue }
        let family = ModelFamily(identifier: config["model_type"] as! String)!
        configuration = EncoderConfiguration(
            family: family, vocabularySize: int("vocab_size"), hiddenSize: int("hidden_size"),
            layerCount: int("num_hidden_layers"), headCount: int("num_attention_heads"),
            intermediateSize: int("intermediate_size"), maxPositions: int("max_position_embeddings"),
            typeVocabularySize: int("type_vocab_size"), layerNormEpsilon: (config["layer_norm_eps"] as! NSNumber).doubleValue,
            activation: activations[config["hidden_act"] as! String]!, hiddenDropout: float("hidden_dropout_prob"),
            attentionDropout: float("attention_probs_dropout_prob"), classifierDropout: nil, padID: int("pad_token_id"),
            initializerRange: 0.02)
        head = HeadConfiguration(outputs: weights["\(family.outputName).bias"]!.count,
                                 loss: .init(rawValue: config["problem_type"] as! String)!)
    }

    /// Float32 tensors of a safetensors file that is trusted.
    static func tensors(_ url: URL) throws -> [String: [Float]] {
        let data = try Data(contentsOf: url)
        let length = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        let header = try JSONSerialization.jsonObject(with: data.dropFirst(8).prefix(length)) as! [String: Any]
        var result: [String: [Float]] = [:]
        for (name, entry) in header where name != "__metadata__" {
            let entry = entry as! [String: Any], range = entry["data_offsets"] as! [Int]
            precondition(entry["dtype"] as! String == "F32")
            result[name] = data.subdata(in: 8 + length + range[0]..<8 + length + range[1]).withUnsafeBytes {
                Array($0.bindMemory(to: Float.self))
            }
        }
        return result
    }

    /// Fills a batch with the given sequences and their labels.
    func fill(_ batch: PackedBatch, _ rows: [Int], firstExample: Int = 0) {
        batch.removeAll()
        for (i, row) in rows.enumerated() {
            let b = ids[row].withUnsafeBufferPointer { id in
                types[row].withUnsafeBufferPointer { batch.append(ids: id, types: $0, example: firstExample + i) }
            }
            if head.loss == .crossEntropy { batch.classes[b] = Int32(labels[row] as! Int) } else {
                let values = (labels[row] as? [NSNumber])?.map(\.floatValue) ?? [(labels[row] as! NSNumber).floatValue]
                for (k, value) in values.enumerated() { batch.values[b * head.outputs + k] = value }
            }
        }
    }

    /// What a sum of losses is divided by to give PyTorch's mean.
    func normalizer(_ rows: Int) -> Double { head.loss == .crossEntropy ? Double(rows) : Double(rows * head.outputs) }

    func parameters(_ layout: ParameterLayout) -> Parameters {
        let parameters = Parameters(layout: layout)
        for entry in layout.entries {
            _ = parameters[entry].update(fromContentsOf: weights[entry.name]!)
        }
        return parameters
    }

    func batch(_ tokens: Int = 400) -> PackedBatch {
        PackedBatch(tokenCapacity: tokens, sequenceCapacity: 32, configuration: configuration, outputs: head.outputs)
    }
}

func norm(_ x: some Sequence<Float>) -> Double { x.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
