import Foundation
import Tokenizers

@testable import Pipeline

/// A model folder in memory, beginning as the tiny model, that a test changes and writes.
struct ModelFolder {
    struct Tensor {
        var name: String
        var shape: [Int]
        var values: [Float]
        var type = SafeTensorsType.f32
    }

    var tensors: [Tensor]
    /// Written at the end of the first weights file as I64 zeros.
    var integers: [(name: String, shape: [Int])] = []
    /// Other files by name.
    var files: [String: Data]
    /// Weights files; more than one are joined by an index.
    var shards = 1

    init() throws {
        let checkpoint = try SafeTensorsCheckpoint.open(Fixture.tinyBERT)
        tensors = try checkpoint.order.map {
            Tensor(name: $0, shape: try checkpoint.info($0).shape, values: try checkpoint.float32($0))
        }
        files = try Dictionary(
            uniqueKeysWithValues: ["config.json", "tokenizer_config.json", "vocab.txt"].map {
                ($0, try Data(contentsOf: Fixture.tinyBERT.appendingPathComponent($0)))
            })
    }

    /// A RoBERTa encoder of the same sizes, named as `transformers` saves one alone, with a byte-level vocabulary.
    static func roberta() throws -> ModelFolder {
        var folder = try ModelFolder()
        // A byte's character in the vocabulary: itself where it is visible, else the next one from U+0100.
        let visible = [33...126, 161...172, 174...255].joined().map { UInt32($0) }
        let hidden = (0..<256).filter { !visible.contains($0) }.enumerated().map { UInt32(256 + $0.offset) }
        let letters = (visible + hidden).map { String(Character(Unicode.Scalar($0)!)) }
        let merges = ["\u{120} t", "h e", "\u{120}t he", "g o", "o d", "go od", "\u{120} good"]
        let words = ["<s>", "<pad>", "</s>", "<unk>"] + letters + merges.map { $0.replacing(" ", with: "") } + ["<mask>"]
        let vocabulary = Dictionary(uniqueKeysWithValues: words.enumerated().map { ($1, $0) })
        folder.files = [
            "config.json": folder.files["config.json"]!,
            "vocab.json": try JSONSerialization.data(withJSONObject: vocabulary),
            "merges.txt": Data("#version: 0.2\n\(merges.joined(separator: "\n"))\n".utf8),
            "tokenizer_config.json": Data("{\"tokenizer_class\": \"RobertaTokenizer\"}".utf8),
        ]
        for (key, value) in [
            ("model_type", "\"roberta\""), ("architectures", "[\"RobertaModel\"]"), ("vocab_size", "\(words.count)"),
            ("type_vocab_size", "1"),
            ("pad_token_id", "1"), ("bos_token_id", "0"), ("eos_token_id", "2"),
        ] { try folder.configure(key, value) }
        var table = folder["embeddings.word_embeddings.weight"]
        let few = table.values
        (table.shape, table.values) = ([words.count, 32], (0..<words.count * 32).map { few[$0 % few.count] * ($0 < few.count ? 1 : -1) })
        folder["embeddings.word_embeddings.weight"] = table
        var types = folder["embeddings.token_type_embeddings.weight"]
        (types.shape, types.values) = ([1, 32], Array(types.values.prefix(32)))
        folder["embeddings.token_type_embeddings.weight"] = types
        return folder
    }

    subscript(name: String) -> Tensor {
        get { tensors[tensors.firstIndex { $0.name == name }!] }
        set { tensors[tensors.firstIndex { $0.name == name }!] = newValue }
    }

    mutating func rename(_ body: (String) -> String) {
        for index in tensors.indices { tensors[index].name = body(tensors[index].name) }
    }

    /// Changes the configuration; a value is JSON.
    mutating func configure(_ key: String, _ value: String) throws {
        var members = try JSONSerialization.jsonObject(with: files["config.json"]!) as! [String: Any]
        members[key] = try JSONSerialization.jsonObject(with: Data(value.utf8), options: .fragmentsAllowed)
        files["config.json"] = try JSONSerialization.data(withJSONObject: members, options: .sortedKeys)
    }

    /// Adds a classifier with these labels and values that are not zero.
    mutating func addHead(_ labels: [String]) throws {
        rename { "bert." + $0 }
        tensors.append(
            Tensor(name: "classifier.weight", shape: [labels.count, 32], values: (0..<32 * labels.count).map { Float($0 % 7) * 0.1 - 0.3 }))
        tensors.append(Tensor(name: "classifier.bias", shape: [labels.count], values: (0..<labels.count).map { Float($0) * 0.5 }))
        let names = labels.enumerated().map { "\"\($0)\": \"\($1)\"" }.joined(separator: ", ")
        try configure("id2label", "{\(names)}")
        try configure("architectures", "[\"BertForSequenceClassification\"]")
    }

    /// Writes the folder under the scratch folder.
    @discardableResult
    func write(to scratch: Scratch, _ name: String) throws -> URL {
        let folder = scratch.url.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, data) in files { try data.write(to: folder.appendingPathComponent(name)) }
        var placed: [String: String] = [:]
        for shard in 0..<shards {
            let file = shards == 1 ? SafeTensorsCheckpoint.fileName : "model-0000\(shard + 1)-of-0000\(shards).safetensors"
            let own = tensors.enumerated().filter { $0.offset % shards == shard }.map(\.element)
            let extra = shard == 0 ? integers : []
            let writer = try SafeTensorsWriter(
                folder.appendingPathComponent(file),
                entries: own.map { .init(name: $0.name, type: $0.type, shape: $0.shape) }
                    + extra.map { .init(name: $0.name, type: .i64, shape: $0.shape) })
            for tensor in own {
                try tensor.values.withUnsafeBufferPointer { try writer.write(tensor.name, $0) }
                placed[tensor.name] = file
            }
            for (name, shape) in extra {
                let zeros = [Int64](repeating: 0, count: shape.reduce(1, *))
                try zeros.withUnsafeBytes { try writer.writeBytes(name, $0) }
                placed[name] = file
            }
            try writer.finish()
        }
        if shards > 1 {
            let index = try JSONSerialization.data(withJSONObject: ["metadata": [:], "weight_map": placed] as [String: Any])
            try index.write(to: folder.appendingPathComponent(SafeTensorsCheckpoint.indexName))
        }
        return folder
    }
}
