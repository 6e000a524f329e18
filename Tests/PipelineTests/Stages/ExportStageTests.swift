import Foundation
import Store
import Testing

@testable import Pipeline

@Suite struct ExportStageTests {
    private func adapted(_ task: ToyTask = ToyTask()) throws -> ToyStore {
        let toy = try ToyStore.ready(task)
        _ = try ToyAdaptation(["steps": 4, "evaluate": "never", "learning_rate": 2e-2, "micro_batch_tokens": 512]).run(toy)
        return toy
    }

    private func entries(_ toy: ToyStore) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: toy.scratch.url.path).sorted()
    }

    @Test(arguments: [
        ToyTask(labels: ["bad", "good", "plain"]), ToyTask(kind: .regression, isPair: true), ToyTask(kind: .multilabel),
    ])
    func `an exported model that is imported again is the same model`(_ task: ToyTask) throws {
        let toy = try adapted(task), folder = toy.scratch.url.appendingPathComponent("exported")
        let result = try ExportStage(model: "run", folder: folder).run(toy.context())
        #expect(Set(result.files) == Set(try FileManager.default.contentsOfDirectory(atPath: folder.path)))
        #expect(Set(result.files).isSuperset(of: ["config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "README.md"]))
        let imported = try toy.importModel(folder, as: "back"), original = try StoredModel.find("run", in: toy.store)
        #expect(result.model == original.digest)
        #expect(try toy.tensors(imported.model) == toy.tensors(original.digest))
        #expect(imported.ignored.isEmpty && imported.defaulted.isEmpty)
        #expect(imported.description.configuration == original.description.configuration)
        #expect(imported.description.head == original.description.head)
        let tokenizers = try [original.artifact, toy.store.artifact(imported.model)].map { try StoredTokenizer.digest($0, toy.store) }
        #expect(tokenizers[0] == tokenizers[1])
        let first = try EvaluateStage(run: "run", data: "toy", precision: .fp32).run(toy.context())
        let second = try EvaluateStage(run: "back", data: "toy", precision: .fp32).run(toy.context())
        #expect(first.logits == second.logits && first.metrics == second.metrics && !second.wasCached)
    }

    @Test func `a RoBERTa model comes back as it went`() throws {
        let toy = try ToyStore()
        try toy.importModel(ModelFolder.roberta().write(to: toy.scratch, "roberta"), as: "roberta")
        try toy.prepare(model: "roberta", maxLength: 48)
        var run = ToyAdaptation(["steps": 3, "evaluate": "never", "micro_batch_tokens": 512])
        run.model = "roberta"
        let model = try run.run(toy).trace.model, folder = toy.scratch.url.appendingPathComponent("exported")
        let files = try ExportStage(model: "run", folder: folder).run(toy.context()).files
        #expect(Set(files).isSuperset(of: ["vocab.json", "merges.txt", "tokenizer.json"]))
        let imported = try toy.importModel(folder, as: "back")
        #expect(try toy.tensors(imported.model) == toy.tensors(model) && imported.ignored.isEmpty)
        let first = try EvaluateStage(run: "run", precision: .fp32).run(toy.context()),
            second = try EvaluateStage(run: "back", data: "toy", precision: .fp32).run(toy.context())
        #expect(first.logits == second.logits)
    }

    @Test func `the configuration says what the outputs mean`() throws {
        let toy = try adapted(ToyTask(labels: ["bad", "good", "plain"])), folder = toy.scratch.url.appendingPathComponent("exported")
        _ = try ExportStage(model: "run", folder: folder).run(toy.context())
        let config = try JSONValue(parsing: Data(contentsOf: folder.appendingPathComponent("config.json")))
        #expect(config["id2label"] == ["0": "bad", "1": "good", "2": "plain"])
        #expect(config["label2id"] == ["bad": 0, "good": 1, "plain": 2])
        #expect(config["architectures"] == ["BertForSequenceClassification"])
        #expect(config["problem_type"] == "single_label_classification")
        #expect(config["hidden_dropout_prob"]?.doubleValue == 0.1)
    }

    @Test func `a bare encoder is written as it came`() throws {
        let toy = try ToyStore()
        try toy.importModel()
        let folder = toy.scratch.url.appendingPathComponent("exported")
        _ = try ExportStage(model: "tiny", folder: folder).run(toy.context())
        let source = try SafeTensorsCheckpoint.open(Fixture.tinyBERT), written = try SafeTensorsCheckpoint.open(folder)
        #expect(Set(written.order) == Set(source.order))
        for name in source.order { #expect(try written.float32(name) == source.float32(name)) }
    }

    @Test func `licence and task stand in the model card`() throws {
        let toy = try ToyStore()
        var model = try ModelFolder()
        model.files["README.md"] = Data("---\nlicense: apache-2.0\n---\n".utf8)
        try toy.importModel(model.write(to: toy.scratch, "carded"))
        try toy.prepare()
        _ = try ToyAdaptation(["steps": 1]).run(toy)
        let folder = toy.scratch.url.appendingPathComponent("exported")
        let result = try ExportStage(model: "run", folder: folder).run(toy.context())
        let card = try String(contentsOf: folder.appendingPathComponent("README.md"), encoding: .utf8)
        #expect(
            card.hasPrefix("---\nlicense: apache-2.0\n") && card.contains(result.model.description) && card.contains("negative, positive"))
        #expect(try toy.store.artifact(toy.importModel(folder, as: "back").model).provenance.license == "apache-2.0")
    }

    @Test func `a folder that is not empty is refused unless it is replaced`() throws {
        let toy = try ToyStore()
        try toy.importModel()
        let note = toy.scratch.write("exported/note.txt", "mine"), folder = note.deletingLastPathComponent(), before = try entries(toy)
        var stage = ExportStage(model: "tiny", folder: folder)
        #expect(try error(PipelineError.self) { try stage.run(toy.context()) }?.code == .usage)
        #expect(try entries(toy) == before && FileManager.default.contentsOfDirectory(atPath: folder.path) == ["note.txt"])
        stage.replaces = true
        #expect(try error(PipelineError.self) { try stage.run(toy.context()) }?.code == .usage, "it is no model's folder")
        #expect(try entries(toy) == before && FileManager.default.contentsOfDirectory(atPath: folder.path) == ["note.txt"])
        _ = toy.scratch.write("exported/config.json", "{}")
        let files = try stage.run(toy.context()).files
        #expect(try Set(FileManager.default.contentsOfDirectory(atPath: folder.path)) == Set(files))
        #expect(try entries(toy) == before)
    }

    @Test func `an empty folder is filled`() throws {
        let toy = try ToyStore()
        try toy.importModel()
        let folder = toy.scratch.url.appendingPathComponent("empty")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        func number() throws -> Int? { try FileManager.default.attributesOfItem(atPath: folder.path)[.systemFileNumber] as? Int }
        let before = try number(), around = try FileManager.default.contentsOfDirectory(atPath: toy.scratch.url.path)
        let files = try ExportStage(model: "tiny", folder: folder).run(toy.context()).files
        #expect(try number() == before, "it is the working folder of somebody")
        #expect(try Set(FileManager.default.contentsOfDirectory(atPath: folder.path)) == Set(files) && files.contains("config.json"))
        #expect(try Set(FileManager.default.contentsOfDirectory(atPath: toy.scratch.url.path)) == Set(around))
    }

    @Test func `of a link the folder that it leads to is replaced`() throws {
        let toy = try ToyStore()
        try toy.importModel()
        let folder = toy.scratch.write("exported/config.json", "{}").deletingLastPathComponent(), link = toy.scratch.url.appendingPathComponent("link")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: folder)
        let files = try ExportStage(model: "tiny", folder: link, replaces: true).run(toy.context()).files
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == folder.path)
        #expect(try Set(FileManager.default.contentsOfDirectory(atPath: folder.path)) == Set(files))
    }

    @Test func `the tokenizer's limit is that of the model where it says none`() throws {
        let toy = try ToyStore()
        let model = try toy.importModel().description.configuration, folder = toy.scratch.url.appendingPathComponent("exported")
        _ = try ExportStage(model: "tiny", folder: folder).run(toy.context())
        let config = try JSONValue(parsing: Data(contentsOf: folder.appendingPathComponent("tokenizer_config.json")))
        #expect(config["model_max_length"] == .integer(Int64(model.longestSequence)))
    }

    @Test func `an export that is stopped leaves nothing and spares what was there`() throws {
        let toy = try ToyStore()
        try toy.importModel()
        let folder = toy.scratch.write("exported/config.json", "mine").deletingLastPathComponent(), before = try entries(toy)
        let stage = ExportStage(model: "tiny", folder: folder, replaces: true)
        #expect(try error(Interrupted.self) { try stage.run(toy.context(stop: Stop(after: 7))) } != nil)
        #expect(try entries(toy) == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["config.json"])
    }

    @Test func `a damaged store gives no half export`() throws {
        let toy = try ToyStore()
        try toy.importModel()
        for file in try toy.contentFiles() where file.hasPrefix("blobs/") {
            let path = toy.store.location.appendingPathComponent(file).path
            chmod(path, 0o644)
            let handle = try #require(FileHandle(forWritingAtPath: path))
            let size = try handle.seekToEnd()
            try handle.seek(toOffset: size / 2)
            try handle.write(contentsOf: Data([0x55, 0xAA, 0x55]))
            try handle.close()
        }
        let before = try entries(toy)
        let stage = ExportStage(model: "tiny", folder: toy.scratch.url.appendingPathComponent("exported"))
        #expect(try error(StoreError.self) { try stage.run(toy.context()) }?.code == .damaged)
        #expect(try entries(toy) == before)
    }

    @Test func `a place that cannot be written to is told`() throws {
        let toy = try ToyStore()
        try toy.importModel()
        let file = toy.scratch.write("file", "x"), before = try entries(toy)
        let stage = ExportStage(model: "tiny", folder: file.appendingPathComponent("exported"))
        #expect(try error(FormatError.self) { try stage.run(toy.context()) }?.reason == .fileUnwritable)
        #expect(try entries(toy) == before)
    }
}
