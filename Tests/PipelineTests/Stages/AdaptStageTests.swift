import Foundation
import Models
import Optimizers
import Store
import Synchronization
import Testing

@testable import Pipeline

@Suite struct AdaptStageTests {
    @Test func `a run learns the task and says how it went`() throws {
        let toy = try ToyStore.ready(ToyTask(train: 240, development: 40))
        let run = ToyAdaptation(["epochs": 6, "learning_rate": 1.5e-3, "micro_batch_tokens": 512, "dropout": 0])
        let recorder = Recorder(), finished = try run.run(toy, recorder: recorder)
        let record = finished.result.record
        #expect(record.steps == 360 && record.epochs == 6 && record.trainExamples == 240 && record.seed == 7)
        #expect(record.developmentSplit == "dev")
        #expect(record.metrics.map(\.name) == ["accuracy", "f1", "macro_f1", "matthews"])
        #expect(try #require(record.metrics[0].value) > 0.9)
        let losses = try finished.events("epoch").compactMap { $0["mean_loss"]?.doubleValue }
        #expect(losses.count == 6 && losses[5] < 0.2 * losses[0])
        #expect(recorder.steps.map(\.step) == Array(1...360))
        #expect(finished.result.timing != nil && !finished.result.wasCached && finished.result.resumedFrom == nil)
        let model = try StoredModel.find("run", in: toy.store)
        #expect(model.digest == record.model)
        #expect(model.description.head?.labels == ["negative", "positive"] && model.description.task?.name == "classification")
        #expect(try RunRecord(toy.store.artifact(finished.trace.run)) == record)
    }

    @Test(arguments: [OwnDataOptions.Kind.regression, .multilabel])
    func `the other kinds of task are learnt`(_ kind: OwnDataOptions.Kind) throws {
        let toy = try ToyStore.ready(ToyTask(kind: kind, labels: ["a", "b", "c"], train: 120))
        let finished = try ToyAdaptation(["epochs": 8, "learning_rate": 2e-3, "micro_batch_tokens": 512, "dropout": 0, "evaluate": "end"])
            .run(toy)
        let losses = try finished.events("epoch").compactMap { $0["mean_loss"]?.doubleValue }
        #expect(losses.count == 8 && losses[7] < 0.8 * losses[0], "\(losses)")
        #expect(finished.result.record.metrics.count == (kind == .regression ? 2 : 3))
    }

    @Test func `the log's evaluation is that of the stage that evaluates`() throws {
        let toy = try ToyStore.ready(), finished = try ToyAdaptation(["epochs": 2, "select": "last"]).run(toy)
        let evaluated = try EvaluateStage(run: "run").run(toy.context())
        #expect(evaluated.metrics == finished.result.record.metrics)
        #expect(try finished.events("evaluation").last?["metrics"]?["accuracy"]?.doubleValue == evaluated.metrics[0].value)
    }

    @Test func `a run that another process computes is waited for`() throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation(["steps": 3])
        let claim = try #require(try toy.store.claim(work: AdaptSetup(run.stage, toy.context()).key))
        let before = try toy.contentFiles(), recorder = Recorder(), stop = Stop(after: 2)
        let interruption = try #require(try error(Interrupted.self) { try run.run(toy, stop: stop, recorder: recorder) })
        #expect(interruption.step == nil && stop.asked == 3 && recorder.steps.isEmpty)
        let notes = recorder.all.compactMap { if case .note(let text) = $0 { text } else { nil } }
        #expect(notes.filter { $0.contains("another process is computing this run") }.count == 1, "\(notes)")
        #expect(try toy.contentFiles() == before)
        claim.release()
        #expect(try run.run(toy).result.record.steps == 3)
    }

    @Test func `of two that are asked for the same run one computes it and both have it`() throws {
        let toy = try ToyStore.ready(), recorders = [Recorder(), Recorder()]
        let results = Mutex<[AdaptStage.Result]>([])
        DispatchQueue.concurrentPerform(iterations: 2) { index in
            var run = ToyAdaptation()
            run.name = "run-\(index)"
            // A store object of its own for each, as two processes have.
            guard let store = try? Store(at: toy.store.location), let result = try? run.stage.run(
                StageContext(store: store, threads: 1, observe: { recorders[index].record($0) })) else { return }
            results.withLock { $0.append(result) }
        }
        let found = results.withLock { $0 }
        #expect(found.count == 2 && Set(found.map(\.run)).count == 1)
        #expect(found.filter(\.wasCached).count == 1)
        #expect(recorders.map(\.steps.count).sorted() == [0, 18])
        for name in ["run-0", "run-1"] { #expect(try toy.store.reference(kind: "run", name: name)?.digest == found.first?.run) }
    }

    @Test func `a finished run is returned from the store and nothing is computed`() throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation(["steps": 3])
        let first = try run.run(toy), before = try toy.contentFiles(), recorder = Recorder(), stop = Stop.never
        let again = try run.run(toy, stop: stop, recorder: recorder)
        #expect(again.result.wasCached && again.trace == first.trace && again.result.record == first.result.record)
        #expect(again.result.timing == first.result.timing && first.result.timing != nil)
        #expect(recorder.all.isEmpty && stop.asked == 0)
        #expect(try toy.contentFiles() == before)
    }

    @Test func `another name for a finished run is the same run`() throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["steps": 3])
        let first = try run.run(toy)
        run.name = "again"
        #expect(try run.run(toy).trace == first.trace)
        #expect(Set(try toy.store.references(kind: "run").map(\.name)) == ["run", "again"])
    }

    @Test func `a name in use is refused before any work, unless it is replaced`() throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["steps": 2])
        let first = try run.run(toy), before = try toy.contentFiles(), recorder = Recorder()
        run.seed = 8
        #expect(try error(PipelineError.self) { try run.run(toy, recorder: recorder) }?.code == .usage)
        #expect(recorder.all.isEmpty)
        #expect(try toy.contentFiles() == before)
        run.configure = { $0.replaces = true }
        let second = try run.run(toy)
        let reference = try #require(try toy.store.reference(kind: "run", name: "run"))
        #expect(reference.digest == second.trace.run && reference.history.map(\.digest) == [first.trace.run])
        run.name = "a/b"
        #expect(try error(PipelineError.self) { try run.run(toy) }?.code == .usage)
    }

    @Test func `seed, recipe, order and data each make another run`() throws {
        let toy = try ToyStore.ready()
        try toy.prepare(ToyTask(seed: 2), as: "other")
        var runs: [ToyAdaptation] = [ToyAdaptation(["steps": 2])]
        for change: (inout ToyAdaptation) -> Void in [
            { $0.seed = 8 }, { $0.recipe["learning_rate"] = 6e-3 }, { $0.recipe["dropout"] = 0 }, { $0.recipe["batch_size"] = 5 },
            { $0.data = "other" }, { $0.configure = { $0.order = [[[0, 1, 2, 3], [4, 5, 6, 7]]] } },
        ] {
            var run = runs[0]
            change(&run)
            run.name = "run\(runs.count)"
            runs.append(run)
        }
        let traces = try runs.map { try $0.run(toy).trace }
        #expect(Set(traces.map(\.run)).count == 7)
        #expect(Set(traces.map(\.model)).count == 7)
    }

    @Test func `the number of threads leaves model, log and run as they are`() throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["epochs": 2, "micro_batch_tokens": 100])
        let reference = try run.uninterrupted(toy).finished.trace
        for threads in [2, 3] {
            run.threads = threads
            #expect(try run.uninterrupted(toy).finished.trace == reference, "\(threads) threads")
        }
    }

    @Test func `a given order is followed`() throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["epochs": 2, "evaluate": "epoch", "micro_batch_tokens": 512])
        let order = BatchOrder(exampleCount: 22, batchSize: 4, seed: run.seed)
        let batches = (0..<2).map { epoch in
            (0..<6).map { Array(order.batch($0, epoch: epoch, of: order.permutation(epoch: epoch))) }
        }
        let reference = try run.uninterrupted(toy).finished
        run.configure = { $0.order = batches }
        let given = try run.uninterrupted(toy).finished
        #expect(given.trace.log == reference.trace.log, "the seed's own order, written out, is the same training")
        #expect(given.trace.run != reference.trace.run)
        run.configure = { $0.order = [[[21, 0], [3]], [[5, 5, 5]]] }
        #expect(try run.uninterrupted(toy).finished.events("step").compactMap { $0["examples"]?.integerValue } == [2, 1, 3])
        run.configure = { $0.order = [[[22]]] }
        #expect(try error(PipelineError.self) { try run.run(toy) }?.code == .unfitInput)
    }

    @Test func `frozen units keep every bit and have no moments`() throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation(["steps": 4, "freeze": ["embeddings", 0], "learning_rate": 0.01])
        _ = try run.interrupt(toy.copy(), after: 8)
        let base = try toy.tensors(StoredModel.find("tiny", in: toy.store).digest)
        let adapted = try toy.tensors(run.run(toy).trace.model)
        let frozen = base.keys.filter { $0.contains("embeddings") || $0.contains("layer.0.") }
        #expect(frozen.count == 5 + 16)
        for (name, data) in base { #expect((adapted[name] == data) == frozen.contains(name), "\(name)") }
        let other = try ToyStore.ready()
        _ = try run.interrupt(other, after: 8)
        let (_, checkpoint) = try run.checkpoint(other)
        let moments = checkpoint.blobs.map(\.name).filter { $0.hasPrefix("moments/") }
        #expect(moments.count == 2 * (adapted.count - frozen.count))
        #expect(!moments.contains { name in frozen.contains { name.hasSuffix($0) } })
    }

    @Test func `a frozen run goes on where it was`() throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation(["epochs": 2, "freeze": ["embeddings", "0-1"], "layer_decay": 0.5])
        let whole = try run.uninterrupted(toy).finished.trace
        #expect(try run.run(toy, interruptedAfter: [19]).trace == whole)
    }

    @Test func `a head that fits is kept and any other is replaced`() throws {
        let toy = try ToyStore.ready()
        try toy.prepare(ToyTask(labels: ["bad", "good", "plain"]), as: "three")
        try toy.prepare(ToyTask(labels: ["down", "up"]), as: "renamed")
        _ = try ToyAdaptation(["epochs": 1]).run(toy)
        let own = try toy.tensors(StoredModel.find("run", in: toy.store).digest)
        // Without a learning rate a run shows what it began with.
        var run = ToyAdaptation(["steps": 1, "learning_rate": 0])
        func start(_ name: String, data: String = "toy", makesNewHead: Bool = false) throws -> [String: Data] {
            (run.name, run.model, run.data) = (name, "run", data)
            run.configure = { $0.makesNewHead = makesNewHead }
            return try toy.tensors(run.run(toy).trace.model)
        }
        #expect(try start("kept") == own)
        for (name, data, makesNewHead) in [("new", "toy", true), ("wider", "three", false), ("others", "renamed", false)] {
            let tensors = try start(name, data: data, makesNewHead: makesNewHead)
            let changed = tensors.keys.filter { tensors[$0] != own[$0] }
            #expect(Set(changed) == ["classifier.weight", "classifier.bias"], "\(name)")
            #expect(tensors["classifier.bias"]?.allSatisfy { $0 == 0 } == true, "a new bias is zero")
            #expect(tensors["classifier.weight"]?.count == 32 * 4 * (data == "three" ? 3 : 2))
        }
    }

    @Test func `the dense layer is the encoder's in BERT and the head's in RoBERTa`() throws {
        let toy = try ToyStore.ready()
        try toy.importModel(ModelFolder.roberta().write(to: toy.scratch, "roberta"), as: "roberta")
        try toy.prepare(as: "bytes", model: "roberta", maxLength: 48)
        var run = ToyAdaptation(["steps": 1, "learning_rate": 0, "micro_batch_tokens": 512])
        func heads(model: String, data: String) throws -> [[String: Data]] {
            try [UInt64(1), 2].map { seed in
                (run.model, run.data, run.seed, run.name) = (model, data, seed, "\(model)\(seed)")
                return try toy.tensors(run.run(toy).trace.model)
            }
        }
        let bert = try heads(model: "tiny", data: "toy"), roberta = try heads(model: "roberta", data: "bytes")
        #expect(Set(bert[0].keys.filter { bert[0][$0] != bert[1][$0] }) == ["classifier.weight"])
        #expect(
            Set(roberta[0].keys.filter { roberta[0][$0] != roberta[1][$0] }) == ["classifier.dense.weight", "classifier.out_proj.weight"])
    }

    @Test func `a pooler that the encoder lacks is made`() throws {
        let toy = try ToyStore.ready()
        var folder = try ModelFolder()
        folder.tensors.removeAll { $0.name.hasPrefix("pooler") }
        try toy.importModel(folder.write(to: toy.scratch, "plain"), as: "plain")
        var run = ToyAdaptation(["steps": 1, "learning_rate": 0])
        run.model = "plain"
        let pooler = try #require(toy.tensors(run.run(toy).trace.model)["bert.pooler.dense.weight"])
        #expect(Set(pooler.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }).count > 1000)
    }

    @Test(arguments: [UInt64.max, 1 << 63, 0])
    func `a seed is kept as it is`(_ seed: UInt64) throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["steps": 1])
        run.seed = seed
        let digest = try run.run(toy).trace.run
        #expect(try RunRecord(toy.store.artifact(digest)).seed == seed)
    }

    @Test(arguments: [["LABEL_0", "LABEL_1"], ["0", "1"]])
    func `a head with labels that say nothing fits every task of its size`(_ labels: [String]) throws {
        let toy = try ToyStore.ready()
        var folder = try ModelFolder()
        try folder.addHead(labels)
        let model = try toy.importModel(folder.write(to: toy.scratch, "headed"), as: "headed").model
        var run = ToyAdaptation(["steps": 1, "learning_rate": 0])
        run.model = "headed"
        #expect(try toy.tensors(run.run(toy).trace.model) == toy.tensors(model))
    }

    @Test func `a new head is normal with the model's deviation and depends on the seed`() throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["steps": 1, "learning_rate": 0]), heads: Set<Data> = []
        var values: [Float] = []
        for seed in 0..<40 {
            (run.seed, run.name) = (UInt64(seed), "run\(seed)")
            let weight = try #require(toy.tensors(run.run(toy).trace.model)["classifier.weight"])
            heads.insert(weight)
            values += weight.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        }
        #expect(heads.count == 40)
        // 2560 draws from N(0, 0.1²): mean and deviation within five standard errors.
        let count = Double(values.count), mean = values.reduce(0) { $0 + Double($1) } / count
        let deviation = (values.reduce(0) { $0 + pow(Double($1) - mean, 2) } / count).squareRoot()
        #expect(values.count == 2560)
        #expect(abs(mean) < 5 * 0.1 / count.squareRoot())
        #expect(abs(deviation - 0.1) < 5 * 0.1 / (2 * count).squareRoot())
    }

    @Test func `dropout of 0 is a model without dropout`() throws {
        let toy = try ToyStore.ready()
        var folder = try ModelFolder()
        try folder.configure("hidden_dropout_prob", "0.0")
        try folder.configure("attention_probs_dropout_prob", "0.0")
        try toy.importModel(folder.write(to: toy.scratch, "dry"), as: "dry")
        var run = ToyAdaptation(["steps": 3]), models: [[String: Data]] = []
        for (name, model, dropout) in [("a", "tiny", nil), ("b", "tiny", 0.0), ("c", "dry", nil), ("d", "dry", 0.1)] {
            (run.name, run.model) = (name, model)
            run.recipe["dropout"] = dropout.map { .real($0) }
            models.append(try toy.tensors(run.run(toy).trace.model))
        }
        #expect(models[0] != models[1])
        #expect(models[1] == models[2])
        #expect(models[0] == models[3])
    }

    @Test func `class weights that balance are those that the counts give`() throws {
        let toy = try ToyStore.ready()
        let dataset = try PreparedDataset.find("toy", in: toy.store), counts = dataset.splits[0].labelCounts.map { Double($0.examples) }
        try #require(counts[0] != counts[1])
        var run = ToyAdaptation(["steps": 3]), models: [[String: Data]] = []
        let explicit = counts.map { HyperparameterValue.real(22 / (2 * $0)) }
        for (name, weights) in [("a", HyperparameterValue.text("balanced")), ("b", .list(explicit)), ("c", .list([]))] {
            run.name = name
            run.recipe["class_weights"] = weights
            models.append(try toy.tensors(run.run(toy).trace.model))
        }
        #expect(models[0] == models[1])
        #expect(models[0] != models[2])
    }

    @Test func `a given order may hold its largest batch in any epoch and a row twice`() throws {
        let toy = try ToyStore.ready(ToyTask(train: 24))
        for order in [[[[0]], [[0, 1, 2, 3, 4, 5]]], [[[7, 7, 7]]]] {
            var run = ToyAdaptation(["optimizer": "adamsls", "objective": "scala", "noise_delay": 0, "epochs": 2, "evaluate": "never"])
            run.name = "order-\(order.count)"
            run.configure = { $0.order = order }
            #expect(try run.run(toy).events("step").count == 2)
        }
    }

    @Test func `memory for tokens is no more than a batch or the development split can fill`() throws {
        let toy = try ToyStore.ready()
        func tokens(_ values: [String: HyperparameterValue]) throws -> Int {
            try AdaptSetup(ToyAdaptation(values).stage, toy.context()).capacity.tokens
        }
        let setup = try AdaptSetup(ToyAdaptation().stage, toy.context())
        let development = try #require(setup.development)
        #expect(try tokens(["micro_batch_tokens": 1_000_000]) == max(development.ids.count, setup.order.mostTokens { setup.train.length($0) }))
        #expect(try tokens(["micro_batch_tokens": 1]) == max(setup.train.longest, development.longest))
        #expect(try tokens(["micro_batch_tokens": 40]) == 40)
    }

    @Test func `a step is timed by what it did, and the first searches count once`() throws {
        let recipe = try Recipe(["optimizer": "adamsls", "objective": "r3f", "noise_interval": 2, "growth_period": 10])
        let search = recipe.optimizer.search(steps: 100)
        let cost = ExpectedCost(recipe, search: search, steps: 100, units: 1)
        // Losses with noise take two passes, those of the others one; a plain step takes six seconds.
        let steps = [(false, 30), (true, 12), (false, 2), (true, 1)].map { hasNoise, trials in
            MeasuredStep(seconds: 2 * (hasNoise ? 6 + 2 * Double(trials) : 3 + Double(trials)), hasNoise: hasNoise, trials: trials)
        }
        let time = MeasuredStep.time(steps, cost, lossPasses: 2)
        let backtracks = log(2.0) / 10 / log(1 / 0.9), passes = 1.5 * (1 + backtracks)
        #expect(abs(time.plainStep - 6) < 1e-9 && abs(time.meanStep - (6 * 1.5 + 2 * passes)) < 1e-9)
        #expect(abs(time.descent - 2 * (30 + 24 + 2 + 2 - 4 * passes)) < 1e-9)
        let plain = MeasuredStep.time([MeasuredStep(seconds: 3, hasNoise: false, trials: 0)], try ExpectedCost(Recipe([:]), search: Recipe([:]).optimizer.search(steps: 1), steps: 1, units: nil), lossPasses: 1)
        #expect(plain.plainStep == 3 && plain.meanStep == 3 && plain.descent == 0)
    }

    @Test func `a run that another process computes is not waited for to be traced`() throws {
        let toy = try ToyStore.ready(), folder = toy.scratch.url.appendingPathComponent("trace")
        var run = ToyAdaptation(["steps": 2])
        run.configure = { $0.trace = folder }
        let claim = try #require(try toy.store.claim(work: AdaptSetup(run.stage, toy.context()).key))
        let refusal = try #require(try error(PipelineError.self) { try run.run(toy) })
        #expect(refusal.code == .usage && refusal.problem.contains("another process"))
        claim.release()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data().write(to: folder.appendingPathComponent("mine"))
        #expect(try error(FormatError.self) { try run.run(toy) } != nil)
        #expect(try toy.store.references(kind: CheckpointStorage.progressKind).isEmpty)
    }

    @Test func `an estimate stores nothing and counts what the run would take`() throws {
        let toy = try ToyStore.ready(), before = try toy.contentFiles()
        let run = ToyAdaptation(["freeze": "embeddings"])
        let estimate = try run.stage.estimate(toy.context())
        #expect(try toy.contentFiles() == before)
        let model = try StoredModel.find("tiny", in: toy.store)
        let counts = model.artifact.blobs.reduce(into: (all: 2 * 32 + 2, trained: 2 * 32 + 2)) { counts, blob in
            guard let count = blob.shape?.reduce(1, *) else { return }
            counts.all += count
            if !blob.name.contains("embeddings") { counts.trained += count }
        }
        #expect(estimate.steps == 18 && estimate.parameters == counts.all && estimate.trainedParameters == counts.trained)
        #expect(estimate.seconds > 18 * estimate.secondsPerStep && estimate.secondsPerStep > 0)
        #expect(estimate.memoryBytes > 4 * (3 * counts.all + 2 * counts.trained))
        #expect(estimate.numericPath == (try run.run(toy).result.record.numericPath))
    }
}
