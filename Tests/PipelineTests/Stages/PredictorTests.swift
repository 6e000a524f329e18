import Foundation
import Store
import Testing

@testable import Pipeline

@Suite struct PredictorTests {
    private func adapted(_ task: ToyTask) throws -> ToyStore {
        let toy = try ToyStore.ready(task)
        _ = try ToyAdaptation(["steps": 6, "evaluate": "never", "learning_rate": 2e-2, "micro_batch_tokens": 512]).run(toy)
        return toy
    }

    @Test(arguments: [OwnDataOptions.Kind.classification, .multilabel, .regression], [false, true])
    func `its logits are those of the evaluation bit for bit`(_ kind: OwnDataOptions.Kind, _ isPair: Bool) throws {
        let task = ToyTask(kind: kind, isPair: isPair), toy = try adapted(task)
        let evaluated = try EvaluateStage(run: "run").run(toy.context())
        let predictor = try Predictor("run", context: toy.context(threads: 2))
        #expect(predictor.isPair == isPair)
        #expect(predictor.isMultiLabel == (kind == .multilabel))
        let outputs = try predictor.predict(task.rows("dev", 9).map { ($0.text, $0.pair) })
        #expect(outputs.flatMap(\.logits) == evaluated.logits)
        for output in outputs {
            switch kind {
            case .classification:
                let best = output.logits[0] >= output.logits[1] ? 0 : 1
                #expect(output.labels == [predictor.labelNames[best]] && output.value == nil)
                let expected = 1 / (1 + exp(Double(output.logits[1 - best]) - Double(output.logits[best])))
                #expect(abs(try #require(output.probabilities)[best] - expected) < 1e-12)
            case .multilabel:
                let probabilities = try #require(output.probabilities)
                #expect(output.labels == zip(predictor.labelNames, probabilities).filter { $0.1 > 0.5 }.map(\.0))
                for (z, p) in zip(output.logits, probabilities) { #expect(abs(p - 1 / (1 + exp(-Double(z)))) < 1e-12) }
            case .regression:
                #expect(output.value == Double(output.logits[0]) && output.labels.isEmpty && output.probabilities == nil)
            }
        }
    }

    @Test func `texts are cut where the dataset's were, unless another length is given`() throws {
        let toy = try adapted(ToyTask()), long = String(repeating: "a film ", count: 40)
        let predictor = try Predictor("run", context: toy.context())
        #expect(try predictor.predict([(long, nil), ("a film", nil)]).map(\.wasTruncated) == [true, false])
        let longer = try Predictor("run", maxLength: 128, context: toy.context())
        #expect(try !longer.predict([(long, nil)])[0].wasTruncated)
        #expect(try longer.predict([(long, nil)])[0].logits != predictor.predict([(long, nil)])[0].logits)
        for length in [3, 129] {
            #expect(try error(PipelineError.self) { try Predictor("run", maxLength: length, context: toy.context()) }?.code == .usage)
        }
    }

    @Test func `no texts give no predictions`() throws {
        let toy = try adapted(ToyTask())
        #expect(try Predictor("run", context: toy.context()).predict([]).isEmpty)
    }

    @Test func `a regression with two values for a text is refused`() throws {
        let toy = try ToyStore()
        var folder = try ModelFolder()
        try folder.addHead(["width", "height"])
        try folder.configure("problem_type", "\"regression\"")
        try toy.importModel(folder.write(to: toy.scratch, "two"), as: "two")
        let refusal = try error(PipelineError.self) { try Predictor("two", context: toy.context()) }
        #expect(refusal?.code == .unfitInput && refusal?.problem.contains("2 values") == true)
    }

    @Test func `a bare encoder predicts nothing`() throws {
        let toy = try ToyStore.ready()
        #expect(try error(PipelineError.self) { try Predictor("tiny", context: toy.context()) }?.code == .unfitInput)
    }

    @Test func `a head from elsewhere has its own labels and no task`() throws {
        let toy = try ToyStore()
        var folder = try ModelFolder()
        try folder.addHead(["no", "yes"])
        try toy.importModel(folder.write(to: toy.scratch, "headed"), as: "headed")
        let predictor = try Predictor("headed", context: toy.context())
        #expect(predictor.labelNames == ["no", "yes"] && predictor.isPair == nil)
        let output = try predictor.predict([("a good film", "a bad one")])[0]
        #expect(["no", "yes"].contains(output.labels[0]) && output.logits.count == 2)
    }
}
