import Foundation
import Models
import Store
import Testing
import Tokenizers

@testable import Pipeline

@Suite struct ImportStageTests {
    private func imported(_ toy: ToyStore, _ folder: ModelFolder, as name: String) throws -> ImportStage.Result {
        try toy.importModel(folder.write(to: toy.scratch, name), as: name)
    }

    /// The refusal of a folder; nothing of it may be visible in the store.
    private func refusal<Failure: Error>(_ type: Failure.Type, _ folder: ModelFolder) throws -> Failure {
        let toy = try ToyStore(), place = try folder.write(to: toy.scratch, "folder")
        let refusal = try error(type) { try toy.importModel(place, as: "refused") }
        #expect(try toy.store.list().isEmpty)
        #expect(try toy.store.referenceKinds().isEmpty)
        #expect(try toy.contentFiles().isEmpty)
        return try #require(refusal)
    }

    @Test func `every tensor is kept bit for bit under its full name`() throws {
        let toy = try ToyStore(), result = try toy.importModel(), source = try ModelFolder()
        let stored = try toy.tensors(result.model)
        #expect(Set(stored.keys) == Set(source.tensors.map { "bert." + $0.name }))
        for tensor in source.tensors { #expect(stored["bert." + tensor.name] == tensor.values.withUnsafeBytes { Data($0) }) }
        #expect(result.parameterCount == source.tensors.reduce(0) { $0 + $1.values.count })
        #expect(result.ignored.isEmpty)
        #expect(!result.wasCached)
        #expect(result.description.head == nil)
        #expect(result.description.configuration.layerCount == 2 && result.description.configuration.hiddenSize == 32)
    }

    @Test func `the same files again are found and nothing is written`() throws {
        let toy = try ToyStore(), first = try toy.importModel(), before = try toy.contentFiles()
        let second = try toy.importModel()
        #expect(second.wasCached && second.model == first.model && second.parameterCount == first.parameterCount)
        #expect(second.description == first.description)
        #expect(try toy.contentFiles() == before)
    }

    @Test func `names with and without the family's prefix and old names of the norms are one model`() throws {
        let toy = try ToyStore(), reference = try toy.importModel().model
        var prefixed = try ModelFolder(), old = try ModelFolder()
        prefixed.rename { "bert." + $0 }
        old.rename { $0.replacing("LayerNorm.weight", with: "LayerNorm.gamma").replacing("LayerNorm.bias", with: "LayerNorm.beta") }
        try #require(old.tensors.count { $0.name.hasSuffix(".gamma") } == 5)
        #expect(try imported(toy, prefixed, as: "prefixed").model == reference)
        #expect(try imported(toy, old, as: "old").model == reference)
        #expect(try toy.store.list(kinds: ["model"]).map(\.references) == [["model/old", "model/prefixed", "model/tiny"]])
    }

    @Test func `a tensor under two names is refused`() throws {
        var folder = try ModelFolder()
        var second = folder["embeddings.LayerNorm.weight"]
        second.name = "bert.embeddings.LayerNorm.gamma"
        folder.tensors.append(second)
        #expect(try refusal(FormatError.self, folder).reason == .parameterNamedTwice)
    }

    @Test func `tensors that are no part of the encoder are ignored and named`() throws {
        let toy = try ToyStore(), reference = try toy.importModel().model
        var folder = try ModelFolder()
        folder.integers = [("embeddings.position_ids", [1, 128])]
        folder.tensors.append(.init(name: "cls.predictions.bias", shape: [204], values: [Float](repeating: 1, count: 204)))
        let result = try imported(toy, folder, as: "more")
        #expect(Set(result.ignored) == ["embeddings.position_ids", "cls.predictions.bias"])
        #expect(result.model == reference)
    }

    @Test func `a sharded folder is the single file`() throws {
        let toy = try ToyStore(), reference = try toy.importModel().model
        var folder = try ModelFolder()
        folder.shards = 3
        #expect(try imported(toy, folder, as: "sharded").model == reference)
    }

    @Test func `an index given alone stands for its shards`() throws {
        let toy = try ToyStore(), reference = try toy.importModel().model
        var folder = try ModelFolder()
        folder.shards = 2
        let place = try folder.write(to: toy.scratch, "sharded")
        var stage = ImportStage(
            source: place.appendingPathComponent("model.safetensors.index.json"),
            configuration: place.appendingPathComponent("config.json"),
            vocabulary: ["vocab.txt", "tokenizer_config.json"].map { place.appendingPathComponent($0) }, name: "index")
        #expect(try stage.run(toy.context()).model == reference)
        // Other weights under the same index are another model.
        folder["embeddings.LayerNorm.bias"].values[0] = 1
        try folder.write(to: toy.scratch, "sharded")
        stage.name = "changed"
        let changed = try stage.run(toy.context())
        #expect(!changed.wasCached && changed.model != reference)
    }

    @Test func `a RoBERTa encoder is read with its own names`() throws {
        let toy = try ToyStore(), folder = try ModelFolder.roberta(), result = try imported(toy, folder, as: "roberta")
        #expect(result.description.configuration.family == .roberta && result.description.configuration.padID == 1)
        #expect(Set(result.ignored) == ["pooler.dense.weight", "pooler.dense.bias"])
        let stored = try toy.tensors(result.model)
        #expect(stored.count == folder.tensors.count - 2 && stored.keys.allSatisfy { $0.hasPrefix("roberta.") })
        let tokenizer = try StoredModel.find("roberta", in: toy.store).tokenizer()
        #expect(try tokenizer.encode("the good").ids.count == 5, "<s> t he Ġgood </s>")
    }

    @Test func `an encoder without pooler is whole`() throws {
        let toy = try ToyStore()
        var folder = try ModelFolder()
        folder.tensors.removeAll { $0.name.hasPrefix("pooler") }
        #expect(try toy.tensors(imported(toy, folder, as: "plain").model).count == folder.tensors.count)
    }

    @Test func `a missing tensor is named`() throws {
        var folder = try ModelFolder()
        folder.tensors.removeAll { $0.name == "encoder.layer.1.intermediate.dense.bias" }
        let refusal = try refusal(FormatError.self, folder)
        #expect(refusal.reason == .missingTensor)
        #expect(refusal.tensor == "bert.encoder.layer.1.intermediate.dense.bias")
    }

    @Test func `a wrong shape is told with both shapes`() throws {
        var folder = try ModelFolder()
        folder["encoder.layer.0.output.dense.weight"].shape = [64, 32]
        let refusal = try refusal(FormatError.self, folder)
        #expect(refusal.reason == .shapeMismatch)
        #expect(refusal.tensor == "encoder.layer.0.output.dense.weight")
        #expect(refusal.expected == "[32, 64]" && refusal.found == "[64, 32]")
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func `a number that is none is refused unless it is allowed`(_ value: Float) throws {
        var folder = try ModelFolder()
        folder["encoder.layer.1.output.dense.weight"].values[77] = value
        let refusal = try refusal(FormatError.self, folder)
        #expect(refusal.reason == .nonFiniteValue)
        #expect(refusal.tensor == "encoder.layer.1.output.dense.weight")
        let toy = try ToyStore(), place = try folder.write(to: toy.scratch, "folder")
        let result = try ImportStage(source: place, name: "odd", allowsNonFinite: true).run(toy.context())
        let stored = try #require(toy.tensors(result.model)["bert.encoder.layer.1.output.dense.weight"])
        #expect(stored.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4 * 77, as: Float.self) }.bitPattern == value.bitPattern)
    }

    @Test func `an integer tensor in the encoder's place is refused`() throws {
        var folder = try ModelFolder()
        folder.tensors.removeAll { $0.name == "embeddings.LayerNorm.bias" }
        folder.integers = [("embeddings.LayerNorm.bias", [32])]
        #expect(try refusal(FormatError.self, folder).reason == .unsupportedDataType)
    }

    @Test func `a vocabulary larger than the model's is refused`() throws {
        var folder = try ModelFolder()
        folder.files["vocab.txt"]! += Data("surplus\n".utf8)
        #expect(try refusal(PipelineError.self, folder).code == .unfitInput)
    }

    @Test func `a folder without tokenizer is refused`() throws {
        var folder = try ModelFolder()
        folder.files["vocab.txt"] = nil
        folder.files["tokenizer_config.json"] = nil
        #expect(try refusal(TokenizerError.self, folder).reason == .missingFile)
    }

    @Test func `an import that is stopped leaves nothing`() throws {
        let toy = try ToyStore()
        let stage = ImportStage(source: Fixture.tinyBERT, name: "stopped")
        #expect(try error(Interrupted.self) { try stage.run(toy.context(stop: Stop(after: 20))) } != nil)
        #expect(try toy.contentFiles().isEmpty)
        #expect(try toy.store.usage().blobCount == 0)
    }

    @Test(arguments: [SafeTensorsType.f16, .bf16])
    func `half precision is widened exactly`(_ type: SafeTensorsType) throws {
        let toy = try ToyStore()
        var folder = try ModelFolder()
        for index in folder.tensors.indices { folder.tensors[index].type = type }
        let stored = try toy.tensors(imported(toy, folder, as: "half").model)
        for tensor in folder.tensors {
            let expected = tensor.values.map {
                type == .f16
                    ? HalfPrecision.float32(half: HalfPrecision.half($0)) : HalfPrecision.float32(bfloat: HalfPrecision.bfloat($0))
            }
            #expect(stored["bert." + tensor.name] == expected.withUnsafeBytes { Data($0) })
        }
    }

    @Test func `a tokenizer json alone gives the same tokens`() throws {
        let toy = try ToyStore()
        try toy.importModel()
        let tokenizer = try StoredModel.find("tiny", in: toy.store).tokenizer()
        var folder = try ModelFolder()
        folder.files["vocab.txt"] = nil
        folder.files["tokenizer_config.json"] = nil
        folder.files["tokenizer.json"] = HuggingFaceTokenizerFiles.files(for: tokenizer)["tokenizer.json"]
        _ = try imported(toy, folder, as: "document")
        let other = try StoredModel.find("document", in: toy.store).tokenizer()
        for text in ["The film was GOOD, wasn't it?", "naïve café 12", ""] {
            let expected = try tokenizer.encode(text, pair: "a dull one")
            #expect(try other.encode(text, pair: "a dull one") == expected)
            #expect(expected.ids.count > 4)
        }
    }

    @Test func `a lone file needs its configuration and vocabulary`() throws {
        let toy = try ToyStore(), folder = Fixture.tinyBERT
        let weights = folder.appendingPathComponent("model.safetensors"), config = folder.appendingPathComponent("config.json")
        let vocabulary = [folder.appendingPathComponent("vocab.txt")]
        for stage in [
            ImportStage(source: weights, name: "lone"), ImportStage(source: weights, configuration: config, name: "lone"),
            ImportStage(source: weights, vocabulary: vocabulary, name: "lone"),
        ] {
            let refusal = try #require(try error(PipelineError.self) { try stage.run(toy.context()) })
            #expect(refusal.code == .usage)
            #expect(refusal.advice?.contains("--config") == true && refusal.advice?.contains("--vocabulary") == true)
        }
        // Nothing says whether case is kept.
        var stage = ImportStage(source: weights, configuration: config, vocabulary: vocabulary, name: "lone")
        #expect(try error(TokenizerError.self) { try stage.run(toy.context()) }?.reason == .undecidedCase)
        #expect(try toy.contentFiles().isEmpty)
        func ids(cased: Bool) throws -> [Int32] {
            stage.cased = cased
            stage.name = cased ? "cased" : "uncased"
            _ = try stage.run(toy.context())
            return try StoredModel.find(stage.name, in: toy.store).tokenizer().encode("Good good").ids
        }
        let (cased, uncased) = (try ids(cased: true), try ids(cased: false))
        #expect(uncased[1] == uncased[2])
        #expect(cased[1] != cased[2] && cased[2] == uncased[2])
        try toy.importModel()
        #expect(
            try toy.tensors(StoredModel.find("tiny", in: toy.store).digest) == toy.tensors(StoredModel.find("cased", in: toy.store).digest))
    }

    @Test func `a vocabulary file of another name is known by its ending`() throws {
        let toy = try ToyStore(), folder = Fixture.tinyBERT
        let words = toy.scratch.write("words.txt", try Data(contentsOf: folder.appendingPathComponent("vocab.txt")))
        let weights = folder.appendingPathComponent("model.safetensors"), config = folder.appendingPathComponent("config.json")
        let stage = ImportStage(source: weights, configuration: config, vocabulary: [words], cased: false, name: "lone")
        #expect(try stage.run(toy.context()).description.configuration.vocabularySize == 204)
        let image = toy.scratch.write("words.png", "x")
        let other = ImportStage(source: weights, configuration: config, vocabulary: [image], cased: false, name: "other")
        #expect(try error(PipelineError.self) { try other.run(toy.context()) }?.code == .usage)
    }

    @Test func `files that are not there are named`() throws {
        let toy = try ToyStore(), nowhere = toy.scratch.url.appendingPathComponent("nowhere")
        let refusal = try error(FormatError.self) { try toy.importModel(nowhere) }
        #expect(refusal?.reason == .fileMissing && refusal?.file == nowhere.path)
        var folder = try ModelFolder()
        folder.files["config.json"] = nil
        #expect(try error(FormatError.self) { try imported(toy, folder, as: "bare") }?.file.hasSuffix("config.json") == true)
    }

    @Test(arguments: ["\n", "\r\n"])
    func `licence and origin come from the model card`(_ lineEnd: String) throws {
        let toy = try ToyStore()
        var folder = try ModelFolder()
        let lines = ["---", "language: en", "license: apache-2.0", "tags:", "- license: none", "---", "", "license: not this", ""]
        folder.files["README.md"] = Data(lines.joined(separator: lineEnd).utf8)
        let provenance = try toy.store.artifact(imported(toy, folder, as: "carded").model).provenance
        #expect(provenance.license == "apache-2.0")
        #expect(provenance.source["language"] == "en")
        #expect(provenance.source["metadata"]?["format"] == "pt")
        try toy.importModel()
        #expect(try toy.store.artifact(StoredModel.find("tiny", in: toy.store).digest).provenance.license == nil)
    }

    @Test(arguments: [
        ("license:\n- mit\n- bsd\nlanguage: [en, de]", "mit, bsd"), ("license: mit # as it was", "mit"), ("license: \"mit\"", "mit"),
        ("license: other\nlicense_name: house-rules", "house-rules"), ("license: mit\nwidget:\n- text: a: b: c", "mit"), ("tags: [a]", nil),
    ] as [(String, String?)])
    func `the licence of a card is read in each way that YAML writes it`(_ header: String, _ license: String?) throws {
        let toy = try ToyStore()
        var folder = try ModelFolder()
        folder.files["README.md"] = Data("---\n\(header)\n---\n".utf8)
        #expect(try toy.store.artifact(imported(toy, folder, as: "carded").model).provenance.license == license)
    }

    @Test func `a head that the file brings is kept with its labels`() throws {
        let toy = try ToyStore()
        var folder = try ModelFolder()
        try folder.addHead(["no", "yes", "perhaps"])
        let head = try #require(imported(toy, folder, as: "headed").description.head)
        #expect(head.labels == ["no", "yes", "perhaps"])
        #expect(head.configuration == HeadConfiguration(outputs: 3, loss: .crossEntropy))
        #expect(try StoredModel.find("headed", in: toy.store).description.head == head)
    }

    @Test func `a classifier of something else than sequences is no head`() throws {
        let toy = try ToyStore()
        var folder = try ModelFolder()
        try folder.addHead(["no", "yes"])
        try folder.configure("architectures", "[\"BertForTokenClassification\"]")
        let result = try imported(toy, folder, as: "tokens")
        #expect(result.description.head == nil && Set(result.ignored) == ["classifier.weight", "classifier.bias"])
        try folder.configure("architectures", "[\"BertForMultipleChoice\"]")
        folder["classifier.weight"] = .init(name: "classifier.weight", shape: [1, 32], values: [Float](repeating: 1, count: 32))
        #expect(try imported(toy, folder, as: "choices").description.head == nil)
        try folder.configure("architectures", "[]")
        #expect(try error(FormatError.self) { try imported(toy, folder, as: "unsaid") }?.reason == .shapeMismatch)
    }

    @Test(arguments: [
        ("\"regression\"", 1, HeadConfiguration.Loss.meanSquaredError), ("\"multi_label_classification\"", 2, .binaryCrossEntropy),
        ("\"single_label_classification\"", 2, .crossEntropy), ("null", 1, .meanSquaredError), ("null", 2, .crossEntropy),
    ])
    func `the problem type decides what a head's outputs mean`(_ type: String, _ outputs: Int, _ loss: HeadConfiguration.Loss) throws {
        let toy = try ToyStore()
        var folder = try ModelFolder()
        try folder.addHead((0..<outputs).map { "LABEL_\($0)" })
        try folder.configure("problem_type", type)
        #expect(try imported(toy, folder, as: "headed").description.head?.configuration == HeadConfiguration(outputs: outputs, loss: loss))
    }

    @Test func `a name in use is refused unless it is replaced, and then kept in the history`() throws {
        let toy = try ToyStore(), first = try toy.importModel().model
        var folder = try ModelFolder()
        folder["embeddings.LayerNorm.bias"].values[0] = 1
        let place = try folder.write(to: toy.scratch, "other")
        let before = try toy.contentFiles()
        #expect(try error(PipelineError.self) { try toy.importModel(place) }?.code == .usage)
        #expect(try toy.contentFiles() == before)
        let second = try ImportStage(source: place, name: "tiny", replaces: true).run(toy.context()).model
        let reference = try #require(try toy.store.reference(kind: "model", name: "tiny"))
        #expect(reference.digest == second && second != first)
        #expect(reference.history.map(\.digest) == [first])
        #expect(try error(PipelineError.self) { try toy.importModel(as: "../tiny") }?.code == .usage)
    }

    @Test func `models that share tensors keep them once`() throws {
        let toy = try ToyStore()
        var folder = try ModelFolder()
        // Of 128 KiB: large enough for a blob of its own.
        try folder.configure("vocab_size", "1024")
        var words = folder["embeddings.word_embeddings.weight"]
        words.shape = [1024, 32]
        let few = words.values
        words.values = (0..<1024 * 32).map { few[$0 % few.count] + Float($0) }
        folder["embeddings.word_embeddings.weight"] = words
        let first = try imported(toy, folder, as: "first"), before = try toy.store.usage()
        folder["encoder.layer.1.output.dense.bias"].values[3] += 1
        let second = try imported(toy, folder, as: "second"), after = try toy.store.usage()
        #expect(first.model != second.model)
        #expect(after.blobCount == before.blobCount + 1, "only the small tensors, which lie together, are stored again")
        #expect(after.logicalBytes == 2 * before.logicalBytes)
        let name = "tensors/bert.embeddings.word_embeddings.weight"
        let blob = try #require(toy.store.artifact(first.model).blob(name))
        #expect(try toy.store.artifact(second.model).blob(name) == blob)
        #expect(blob.byteCount == 131_072 && after.storedBytes < 2 * before.storedBytes)
    }
}
