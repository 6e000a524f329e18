import Foundation
import Optimizers
import Store
import Testing

@testable import Pipeline

/// What a run refuses, before it begins or at its last update.
@Suite struct AdaptRefusalTests {
    private func refusal(
        _ toy: ToyStore, _ changes: [String: HyperparameterValue] = [:], configure: (inout ToyAdaptation) -> Void = { _ in }
    ) throws
        -> PipelineError?
    {
        var run = ToyAdaptation(["steps": 2].merging(changes) { $1 })
        configure(&run)
        return try error(PipelineError.self) { try run.run(toy) }
    }

    @Test func `what a recipe asks for and the task cannot give is refused`() throws {
        let toy = try ToyStore.ready()
        try toy.prepare(ToyTask(kind: .regression), as: "numbers")
        try toy.prepare(ToyTask(development: 0), as: "blind")
        let weights = try #require(try refusal(toy, ["class_weights": [1, 2, 3]]))
        #expect(weights.code == .recipe && weights.problem.contains("3 numbers and the task 2"))
        #expect(weights.advice?.contains("negative, positive") == true)
        let regression = try #require(try refusal(toy, ["class_weights": [1]]) { $0.data = "numbers" })
        #expect(regression.code == .recipe && regression.problem.contains("regression"))
        #expect(try refusal(toy, ["class_weights": "balanced"]) { $0.data = "numbers" }?.code == .recipe)
        #expect(try refusal(toy, ["patience": 2]) { $0.data = "blind" }?.code == .recipe)
        #expect(try refusal(toy, ["patience": 2, "evaluate": "never"])?.code == .recipe)
        for evaluate in ["end", 2] as [HyperparameterValue] {
            #expect(try refusal(toy, ["evaluate": evaluate]) { $0.data = "blind" }?.problem.contains("nothing to evaluate on") == true)
        }
        #expect(try error(OptimizerError.self) { try ToyAdaptation(["freeze": [2]]).run(toy) } != nil)
        #expect(
            try error(OptimizerError.self) { try ToyAdaptation(["freeze": ["embeddings", "0-1", "head"]]).run(toy) } == .nothingToTrain)
    }

    @Test(arguments: ["epoch", "never"])
    func `weights that a last update ruined are not stored`(_ evaluate: String) throws {
        let toy = try ToyStore.ready()
        let run = ToyAdaptation(["steps": 1, "learning_rate": 1e39, "evaluate": .text(evaluate)])
        guard case .weightNotFinite(_, _, _, 1)? = try error(OptimizerError.self, { try run.run(toy) }) else {
            Issue.record("the run took weights that are no numbers")
            return
        }
        #expect(try toy.store.list().count { $0.kind == "run" } == 0)
    }

    @Test(arguments: ["epoch", "never"])
    func `a model may begin with weights that are no numbers where no text reaches them`(_ evaluate: String) throws {
        let toy = try ToyStore.ready()
        var folder = try ModelFolder()
        // Positions beyond every sentence.
        let positions = folder["embeddings.position_embeddings.weight"].values.count
        folder["embeddings.position_embeddings.weight"].values[positions - 1] = .nan
        let place = try folder.write(to: toy.scratch, "odd")
        _ = try ImportStage(source: place, name: "odd", allowsNonFinite: true).run(toy.context())
        var run = ToyAdaptation(["steps": 2, "evaluate": .text(evaluate)])
        run.model = "odd"
        #expect(try run.run(toy).result.record.steps == 2)
    }

    @Test func `an output that is no number is no answer`() throws {
        let toy = try ToyStore.ready()
        _ = try ToyAdaptation(["steps": 1]).run(toy)
        let place = toy.scratch.url.appendingPathComponent("exported")
        _ = try ExportStage(model: "run", folder: place).run(toy.context())
        let file = place.appendingPathComponent("model.safetensors")
        var bytes = try Data(contentsOf: file)
        bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: withUnsafeBytes(of: Float.nan) { Data($0) })
        try bytes.write(to: file)
        _ = try ImportStage(source: place, name: "ruined", allowsNonFinite: true).run(toy.context())
        let name = try #require(SafeTensorsCheckpoint.open(place).order.last)
        #expect(try error(PipelineError.self) { try EvaluateStage(run: "ruined", data: "toy").run(toy.context()) }?.problem.contains("nan") == true, "\(name)")
        #expect(try error(PipelineError.self) { try Predictor("ruined", context: toy.context()).predict([("good film", nil)]) }?.code == .unfitInput)
    }

    @Test func `a model with one token type reads texts and refuses pairs`() throws {
        let toy = try ToyStore.ready()
        var folder = try ModelFolder()
        try folder.configure("type_vocab_size", "1")
        var types = folder["embeddings.token_type_embeddings.weight"]
        (types.shape, types.values) = ([1, 32], Array(types.values.prefix(32)))
        folder["embeddings.token_type_embeddings.weight"] = types
        try toy.importModel(folder.write(to: toy.scratch, "single"), as: "single")
        var run = ToyAdaptation(["steps": 1])
        run.model = "single"
        _ = try run.run(toy)
        let predictor = try Predictor("run", context: toy.context())
        #expect(try predictor.predict([("good film", nil)]).count == 1)
        #expect(try error(PipelineError.self) { try predictor.predict([("good film", "bad film")]) }?.problem.contains("2 types") == true)
        #expect(try error(PipelineError.self) { try toy.prepare(ToyTask(isPair: true), as: "pairs", model: "single") }?.code == .unfitInput)
        // Prepared for a model that knows pairs, with the same tokenizer.
        try toy.prepare(ToyTask(isPair: true), as: "pairs")
        run.data = "pairs"
        #expect(try error(PipelineError.self) { try run.run(toy) }?.problem.contains("type 1") == true)
    }

    @Test func `a dataset goes with every model of its tokenizer, however long their tables are`() throws {
        let toy = try ToyStore()
        try toy.importModel()
        var folder = try ModelFolder()
        var words = folder["embeddings.word_embeddings.weight"]
        let rows = words.shape[0] + 6
        (words.shape, words.values) = ([rows, 32], words.values + [Float](repeating: 0, count: 6 * 32))
        folder["embeddings.word_embeddings.weight"] = words
        try folder.configure("vocab_size", "\(rows)")
        try toy.importModel(folder.write(to: toy.scratch, "padded"), as: "padded")
        // Prepared once for both.
        #expect(try toy.prepare(model: "padded").vocabularySize == rows)
        #expect(try toy.prepare(as: "again", model: "tiny").vocabularySize == rows)
        for model in ["padded", "tiny"] {
            #expect(try refusal(toy) { ($0.model, $0.name) = (model, model) } == nil)
        }
    }

    @Test func `a dataset that does not fit the model is refused`() throws {
        let toy = try ToyStore.ready()
        var folder = try ModelFolder()
        let words = String(decoding: folder.files["vocab.txt"]!, as: UTF8.self)
        folder.files["vocab.txt"] = Data(words.replacing("good\nbad\n", with: "bad\ngood\n").utf8)
        try #require(folder.files["vocab.txt"] != Data(words.utf8))
        try toy.importModel(folder.write(to: toy.scratch, "swapped"), as: "swapped")
        let tokenizer = try #require(try refusal(toy) { $0.model = "swapped" })
        #expect(tokenizer.code == .unfitInput && tokenizer.problem.contains("tokenizer"))

        var short = try ModelFolder()
        try short.configure("max_position_embeddings", "16")
        var positions = short["embeddings.position_embeddings.weight"]
        positions.shape = [16, 32]
        positions.values = Array(positions.values.prefix(16 * 32))
        short["embeddings.position_embeddings.weight"] = positions
        try toy.importModel(short.write(to: toy.scratch, "short"), as: "short")
        let length = try #require(try refusal(toy) { $0.model = "short" })
        #expect(length.code == .unfitInput && length.problem.contains("32") && length.problem.contains("16"))

        var options = OwnDataOptions(kind: .classification)
        options.labels = ["negative", "positive"]
        let files = try ToyTask(train: 0).write(to: toy.scratch, folder: "untrained")
        _ = try PrepareStage(source: .own(options, at: files), model: "tiny", name: "untrained").run(toy.context())
        let training = try #require(try refusal(toy) { $0.data = "untrained" })
        #expect(training.code == .unfitInput && training.problem.contains("'train'"))
    }

    @Test func `a loss that is no number stops the run and names the step`() throws {
        let toy = try ToyStore.ready()
        var folder = try ModelFolder()
        folder["pooler.dense.weight"].values = folder["pooler.dense.weight"].values.map { _ in .nan }
        let place = try folder.write(to: toy.scratch, "odd")
        _ = try ImportStage(source: place, name: "odd", allowsNonFinite: true).run(toy.context())
        var run = ToyAdaptation(["steps": 2])
        run.model = "odd"
        guard case .lossNotFinite(1, _)? = try error(OptimizerError.self, { try run.run(toy) }) else {
            Issue.record("the run took a loss that is no number")
            return
        }
        #expect(try toy.store.reference(kind: "run", name: "run") == nil)
    }
}
