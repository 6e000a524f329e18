import Foundation
import Models
import Store
import Tensors
import Testing

@testable import Pipeline

@Suite struct EvaluateStageTests {
    /// A toy task with a briefly adapted model.
    private func adapted(_ task: ToyTask = ToyTask(development: 30)) throws -> ToyStore {
        let toy = try ToyStore.ready(task)
        _ = try ToyAdaptation(["epochs": 5, "evaluate": "never", "dropout": 0, "learning_rate": 2e-3, "micro_batch_tokens": 512]).run(toy)
        return toy
    }

    private func labels(_ task: ToyTask, _ split: String, _ count: Int) -> [String] { task.rows(split, count).map { $0.label! } }

    private func isNear(_ value: Double??, _ expected: Double) -> Bool {
        guard let value = value ?? nil else { return false }
        return abs(value - expected) <= 1e-12 * max(1, abs(expected))
    }

    @Test func `the metrics of a classification are those that the logits give by hand`() throws {
        let task = ToyTask(labels: ["bad", "good", "plain"], train: 120, development: 30), toy = try adapted(task)
        let result = try EvaluateStage(run: "run").run(toy.context())
        #expect(result.split == "dev" && result.examples == 30 && result.logits.count == 90 && result.lines == Array(2...31))
        let truth = labels(task, "dev", 30)
        let predicted = (0..<30).map { row in
            let z = Array(result.logits[3 * row..<3 * row + 3])
            return task.labels[z.firstIndex(of: z.max()!)!]
        }
        #expect(Set(predicted).count > 1 && predicted != truth, "the case must not be trivial")
        let right = zip(predicted, truth).count { $0 == $1 }
        let f1 = task.labels.map { label in
            let both = Double(zip(predicted, truth).count { $0 == label && $1 == label })
            return 2 * both / Double(predicted.count { $0 == label } + truth.count { $0 == label })
        }
        #expect(result.metrics.map(\.name) == ["accuracy", "macro_f1", "matthews"])
        #expect(isNear(result.metrics[0].value, Double(right) / 30))
        #expect(isNear(result.metrics[1].value, f1.reduce(0, +) / 3))
    }

    @Test func `the metrics of a regression are those that the logits give by hand`() throws {
        let task = ToyTask(kind: .regression, isPair: true, development: 20), toy = try adapted(task)
        let result = try EvaluateStage(run: "run").run(toy.context())
        let x = result.logits.map { Double($0) }, y = labels(task, "dev", 20).map { Double(Float($0)!) }
        let (mx, my) = (x.reduce(0, +) / 20, y.reduce(0, +) / 20)
        let covariance = zip(x, y).reduce(0) { $0 + ($1.0 - mx) * ($1.1 - my) }
        let norms = (x.reduce(0) { $0 + pow($1 - mx, 2) } * y.reduce(0) { $0 + pow($1 - my, 2) }).squareRoot()
        #expect(result.metrics.map(\.name) == ["pearson", "spearman"])
        #expect(isNear(result.metrics[0].value, covariance / norms))
    }

    @Test func `the metrics of a multi-label task are those that the logits give by hand`() throws {
        let task = ToyTask(kind: .multilabel, labels: ["bad", "good", "plain"], train: 120, development: 20), toy = try adapted(task)
        let result = try EvaluateStage(run: "run").run(toy.context())
        let truth = labels(task, "dev", 20).map { Set($0.split(separator: ",").map(String.init)) }
        var both = 0, predicted = 0, whole = 0
        for (row, truth) in truth.enumerated() {
            let set = Set((0..<3).filter { 1 / (1 + exp(-Double(result.logits[3 * row + $0]))) > 0.5 }.map { task.labels[$0] })
            both += set.intersection(truth).count
            predicted += set.count
            if set == truth { whole += 1 }
        }
        #expect(predicted > 0 && both < predicted)
        #expect(result.metrics.map(\.name) == ["micro_f1", "macro_f1", "accuracy"])
        #expect(isNear(result.metrics[0].value, 2 * Double(both) / Double(predicted + truth.reduce(0) { $0 + $1.count })))
        #expect(isNear(result.metrics[2].value, Double(whole) / 20))
    }

    @Test func `the same evaluation again is found in the store`() throws {
        let toy = try adapted(), first = try EvaluateStage(run: "run").run(toy.context())
        let before = try toy.contentFiles(), stop = Stop.never
        let again = try EvaluateStage(run: "run", data: "toy", split: "dev").run(toy.context(stop: stop))
        #expect(!first.wasCached && again.wasCached && stop.asked == 0)
        #expect((first.seconds ?? 0) > 0 && again.seconds == nil)
        let split = try PreparedDataset.find("toy", in: toy.store).load(split: "dev", from: toy.store)
        #expect(first.tokens == split.ids.count && again.tokens == first.tokens && first.tokens > first.examples)
        #expect(again.logits == first.logits && again.metrics == first.metrics && again.lines == first.lines)
        #expect(try toy.contentFiles() == before)
        #expect(try !EvaluateStage(run: "run", split: "train").run(toy.context()).wasCached)
        let model = try StoredModel.find("run", in: toy.store).digest
        #expect(try EvaluateStage(run: model.description).run(toy.context()).wasCached, "the run and its model are one")
    }

    @Test func `a store that is opened for reading alone is evaluated all the same`() throws {
        let toy = try adapted(), before = try toy.contentFiles()
        let store = try Store(at: toy.store.location, mode: .readOnly)
        let context = StageContext(store: store, threads: 1)
        let first = try EvaluateStage(run: "run").run(context)
        #expect(try !EvaluateStage(run: "run").run(context).wasCached)
        #expect(try toy.contentFiles() == before)
        #expect(try EvaluateStage(run: "run").run(toy.context()).logits == first.logits)
    }

    @Test func `a split without labels has logits and no metrics`() throws {
        let toy = try adapted(), result = try EvaluateStage(run: "run", split: "test").run(toy.context())
        #expect(result.metrics.isEmpty && result.logits.count == 10 && result.examples == 5)
        #expect(result.logits.allSatisfy { $0.isFinite })
    }

    @Test func `logits depend neither on threads nor on the other examples`() throws {
        let toy = try adapted()
        let reference = try EvaluateStage(run: "run").run(toy.copy().context()).logits
        for threads in [2, 3] { #expect(try EvaluateStage(run: "run").run(toy.copy().context(threads: threads)).logits == reference) }
        let stored = try StoredModel.find("run", in: toy.store), dataset = try PreparedDataset.find("toy", in: toy.store)
        #expect(try EvaluateStage(run: "run", data: dataset.digest.description).run(toy.context()).logits == reference)
        let predictor = try Predictor(stored.digest.description, context: toy.context())
        for (row, text) in ToyTask(development: 30).rows("dev", 30).enumerated() {
            #expect(try predictor.predict([(text.text, nil)])[0].logits == Array(reference[2 * row..<2 * row + 2]))
        }
    }

    @Test func `a model is evaluated and used in the precision it was adapted in, unless another is asked for`() throws {
        let toy = try ToyStore.ready(ToyTask(development: 30))
        let run = try ToyAdaptation(["epochs": 5, "evaluate": "end", "learning_rate": 2e-3, "precision": "bf16"]).run(toy)
        #expect(run.result.record.numericPath.hasSuffix("-bf16"))
        let rounded = try EvaluateStage(run: "run").run(toy.context())
        let exact = try EvaluateStage(run: "run", precision: .fp32).run(toy.context())
        #expect(rounded.numericPath == run.result.record.numericPath && exact.numericPath.hasSuffix("-fp32"))
        #expect(!exact.wasCached && exact.logits != rounded.logits)
        #expect(zip(exact.logits, rounded.logits).allSatisfy { abs($0 - $1) < 0.05 })
        #expect(try EvaluateStage(run: "run", precision: .bf16).run(toy.context()).wasCached)
        let text = ToyTask(development: 30).rows("dev", 30)[0].text
        for (precision, logits) in [(nil, rounded.logits), (Precision.fp32, exact.logits)] {
            let predictor = try Predictor("run", precision: precision, context: toy.context())
            #expect(try predictor.predict([(text, nil)])[0].logits == Array(logits[0..<2]))
        }
    }

    @Test func `what cannot be evaluated is refused with a reason`() throws {
        let toy = try adapted()
        try toy.prepare(ToyTask(kind: .regression), as: "numbers")
        try toy.prepare(ToyTask(labels: ["down", "up"]), as: "renamed")
        func refusal(_ stage: EvaluateStage) throws -> PipelineError? { try error(PipelineError.self) { try stage.run(toy.context()) } }
        #expect(try refusal(EvaluateStage(run: "tiny", data: "toy"))?.problem.contains("bare encoder") == true)
        #expect(try refusal(EvaluateStage(run: "tiny"))?.code == .usage)
        #expect(try refusal(EvaluateStage(run: "run", data: "numbers"))?.code == .unfitInput)
        let labels = try #require(try refusal(EvaluateStage(run: "run", data: "renamed")))
        #expect(labels.problem.contains("negative, positive") && labels.problem.contains("down, up"))
        let pairs = ToyTask(isPair: true)
        try toy.prepare(pairs, as: "pairs")
        #expect(try refusal(EvaluateStage(run: "run", data: "pairs"))?.problem.contains("single texts") == true)
        try toy.prepare(ToyTask(labels: ["positive", "negative"]), as: "sorted")
        #expect(try EvaluateStage(run: "run", data: "sorted").run(toy.context()).task.labels == ["negative", "positive"])
        #expect(try refusal(EvaluateStage(run: "run", split: "validation"))?.advice == "Its splits are: train, dev, test. Name one of them with --split.")
        #expect(try error(StoreError.self) { try EvaluateStage(run: "runn").run(toy.context()) }?.code == .notFound)
    }

    @Test(arguments: [
        (["a", "b"], ["a", "b"], true), (["a", "b"], ["b", "a"], false), (["LABEL_0", "LABEL_1"], ["bad", "good"], true),
        (["LABEL_0", "LABEL_1", "LABEL_2"], ["0", "1", "2"], true), (["LABEL_0", "LABEL_1", "LABEL_2"], ["0", "2", "1"], false),
        (["0", "1"], ["LABEL_0", "LABEL_1"], true), (["0", "1"], ["LABEL_1", "LABEL_0"], false), (["1", "0"], ["bad", "good"], false),
        (["LABEL_0", "LABEL_1"], ["1", "2"], false), (["LABEL_0", "LABEL_1"], ["1", "none"], true),
    ])
    func `a head without names takes labels by their places, but for other numbers`(_ head: [String], _ labels: [String], _ fits: Bool) {
        let own = ModelDescription.Head(configuration: HeadConfiguration(outputs: head.count, loss: .crossEntropy), labels: head)
        #expect(own.means(labels) == fits)
    }

    @Test func `an evaluation that is stopped stores nothing`() throws {
        let toy = try adapted(), before = try toy.contentFiles()
        #expect(try error(Interrupted.self) { try EvaluateStage(run: "run").run(toy.context(stop: Stop(after: 0))) } != nil)
        #expect(try toy.contentFiles() == before)
    }
}
