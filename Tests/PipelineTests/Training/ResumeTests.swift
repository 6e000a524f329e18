import Foundation
import Optimizers
import Store
import Testing

@testable import Pipeline

/// A run that was stopped anywhere and begun again is the uninterrupted run: model, log and run, bit for bit.
@Suite struct ResumeTests {
    /// Every question is a place where a run can stop: before an update, between two micro-batches of one, between two of an
    /// evaluation.
    @Test func `stopped at any question it ends as if it had not been`() throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation()
        let (whole, questions) = try run.uninterrupted(toy)
        #expect(whole.result.record.steps == 18)
        #expect(questions > 3 * 18, "several micro-batches an update are needed to stop inside one")
        for question in 0..<questions {
            let resumed = try run.run(toy, interruptedAfter: [question])
            #expect(resumed.trace == whole.trace, "stopped after \(question) of \(questions) questions")
        }
    }

    @Test(arguments: [[9, 5], [40, 3], [2, 30, 11], [0, 0, 0], [33, 1, 17]])
    func `stopped two or three times it ends as if it had not been`(_ questions: [Int]) throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation()
        let whole = try run.uninterrupted(toy).finished
        #expect(try run.run(toy, interruptedAfter: questions).trace == whole.trace)
    }

    /// Pieces combine: any direction and any step size with any objective.
    private static let compositions: [[String: HyperparameterValue]] = [
        ["optimizer": "plasls", "objective": "scala", "noise_share": 0.5, "joint_steps": 2],
        ["optimizer": "lamb", "objective": "scala", "noise_mode": "clean-kl", "sharpness_radius": 0.05],
        ["optimizer": "alsals", "objective": "freelb", "passes": 2], ["optimizer": "adamsls", "sharpness_radius": 0.05],
        ["optimizer": "plasls", "whole_move": "search", "joint_steps": 1], ["optimizer": "adamw", "precision": "bf16"], ["optimizer": "plasls", "precision": "bf16", "joint_steps": 2],
    ]

    @Test(arguments: RecipeCatalogue.rows.map(\.values) + compositions)
    func `every recipe goes on where it was`(_ recipe: [String: HyperparameterValue]) throws {
        let toy = try ToyStore.ready()
        var values = recipe.merging(["batch_size": 8, "epochs": 2, "micro_batch_tokens": 64]) { $1 }
        if try !Recipe(recipe).optimizer.triesSteps {
            values.merge(["learning_rate": 0.01, "warmup": 3, "schedule": "cosine"]) { $1 }
        }
        let run = ToyAdaptation(values)
        let (whole, questions) = try run.uninterrupted(toy)
        for question in stride(from: 1, to: questions, by: max(7, questions / 12)) {
            #expect(try run.run(toy, interruptedAfter: [question]).trace == whole.trace, "\(recipe), question \(question)")
        }
    }

    @Test func `a given order is followed across an interruption`() throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["epochs": 3, "micro_batch_tokens": 64])
        run.configure = { $0.order = [[[1, 2, 3], [4]], [[5, 6], [7, 8, 9, 1], [0]]] }
        let (whole, questions) = try run.uninterrupted(toy)
        #expect(whole.result.record.steps == 7)
        for question in stride(from: 1, to: questions, by: 3) {
            #expect(try run.run(toy, interruptedAfter: [question]).trace == whole.trace, "question \(question)")
        }
    }

    @Test func `another number of threads may go on`() throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["epochs": 2])
        let whole = try run.uninterrupted(toy).finished
        let other = try toy.copy()
        #expect(try run.interrupt(other, after: 25) > 0)
        run.threads = 3
        #expect(try run.run(other).trace == whole.trace)
    }

    @Test func `an interruption inside an accumulated batch goes back to the last update`() throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation(["evaluate": "never", "steps": 4])
        // Before any update is one question; then each of its micro-batches asks another.
        let micro = try run.uninterrupted(toy).questions / 4 - 1
        #expect(micro >= 2)
        let other = try toy.copy(), recorder = Recorder()
        let interruption = try error(Interrupted.self) { try run.run(other, stop: Stop(after: 2), recorder: recorder) }
        #expect(interruption?.step == 0)
        #expect(recorder.checkpoints == [0])
        #expect(recorder.steps.isEmpty)
        let (_, checkpoint) = try run.checkpoint(other)
        #expect(checkpoint.attributes["state"]?["step"]?.integerValue == 0)
        let resumed = try run.run(other, recorder: recorder)
        #expect(resumed.result.resumedFrom == 0)
        #expect(recorder.steps.map(\.step) == [1, 2, 3, 4])
    }

    @Test(arguments: [5, 6, 7, 11, 12, 13])
    func `an epoch's end is neither repeated nor skipped`(_ step: Int) throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation()
        let whole = try run.uninterrupted(toy).finished
        // The smallest number of questions after which so many updates are complete.
        var question = step
        var at = -1
        while at < step {
            question += 1
            at = try run.interrupt(toy.copy(), after: question)
        }
        #expect(at == step)
        let resumed = try run.run(toy, interruptedAfter: [question])
        #expect(resumed.result.resumedFrom == step)
        #expect(resumed.trace == whole.trace)
        let steps = try resumed.events("step")
        #expect(steps.map { $0["step"]?.integerValue } == (1...18).map { Int64($0) })
        for epoch in 1...3 {
            let own = steps.filter { $0["epoch"]?.integerValue == Int64(epoch) }
            #expect(own.compactMap { $0["examples"]?.integerValue } == [4, 4, 4, 4, 4, 2])
        }
        #expect(try resumed.events("epoch").map { $0["examples"]?.integerValue } == [22, 22, 22])
        #expect(try resumed.events("evaluation").map { $0["step"]?.integerValue } == [6, 12, 18])
    }

    @Test func `an interrupted evaluation is done once and logged once`() throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation(["steps": 2, "evaluate": "end"])
        let (whole, questions) = try run.uninterrupted(toy)
        let other = try toy.copy(), recorder = Recorder()
        // The last question of all is asked by the evaluation.
        let interruption = try error(Interrupted.self) { try run.run(other, stop: Stop(after: questions - 1), recorder: recorder) }
        #expect(interruption?.step == 2)
        #expect(recorder.evaluatedSteps.isEmpty)
        let resumed = try run.run(other, recorder: recorder)
        #expect(recorder.evaluatedSteps == [2])
        #expect(recorder.steps.map(\.step) == [1, 2], "no update is repeated")
        #expect(try resumed.events("evaluation").count == 1)
        #expect(resumed.trace == whole.trace)
    }

    @Test func `the learning rates are those of the uninterrupted run`() throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation(["warmup": 0.25, "schedule": "cosine"])
        let whole = try run.uninterrupted(toy).finished
        let rates = try whole.events("step").compactMap { $0["learning_rate"]?.doubleValue }
        #expect(rates.count == 18 && Set(rates).count > 12, "the rate changes from update to update")
        let other = try toy.copy(), recorder = Recorder()
        _ = try error(Interrupted.self) { try run.run(other, stop: Stop(after: 31), recorder: recorder) }
        _ = try error(Interrupted.self) { try run.run(other, stop: Stop(after: 15), recorder: recorder) }
        _ = try run.run(other, recorder: recorder)
        #expect(recorder.steps.map(\.step) == Array(1...18))
        #expect(recorder.steps.map(\.learningRate) == rates)
    }

    @Test func `as long as a metric is undefined the newest weights are kept and nothing is lost patience with`() throws {
        var task = ToyTask(kind: .regression, development: 1)
        task.train = 12
        // A correlation of one example.
        let finished = try ToyAdaptation(["steps": 6, "evaluate": 1, "patience": 2]).run(ToyStore.ready(task))
        let record = finished.result.record
        #expect(record.steps == 6 && record.selectedStep == 6 && record.metrics.allSatisfy { $0.value == nil })
    }

    @Test func `patience counts across an interruption`() throws {
        // Without a learning rate no evaluation is better than the first.
        let toy = try ToyStore.ready()
        let run = ToyAdaptation(["learning_rate": 0, "evaluate": 2, "patience": 2])
        let (whole, questions) = try run.uninterrupted(toy)
        #expect(whole.result.record.steps == 6)
        #expect(whole.result.record.selectedStep == 2)
        for question in stride(from: 0, to: questions, by: 3) {
            #expect(try run.run(toy, interruptedAfter: [question]).trace == whole.trace, "question \(question)")
        }
    }

    @Test func `the best weights are kept across an interruption`() throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["evaluate": 2, "learning_rate": 0.03, "micro_batch_tokens": 128, "schedule": "constant"])
        // A learning rate that is too high: the metric goes up and down. Which seed does so depends on the processor.
        var found: (finished: ToyAdaptation.Finished, questions: Int)?
        for seed in 0..<20 as Range<UInt64> where found == nil {
            run.seed = seed
            let candidate = try run.uninterrupted(toy)
            if (4..<14).contains(candidate.finished.result.record.selectedStep) { found = candidate }
        }
        let (whole, questions) = try #require(found)
        let selected = whole.result.record.selectedStep
        let evaluations = try whole.events("evaluation")
        let series = evaluations.compactMap { line in line["metrics"]?["accuracy"]?.doubleValue.map { (line["step"]?.integerValue, $0) } }
        let best = try #require(series.map(\.1).max())
        #expect(series.first { $0.1 == best }?.0 == Int64(selected), "the first of the best evaluations is selected")
        for question in stride(from: questions / 3, to: questions, by: 4) {
            #expect(try run.run(toy, interruptedAfter: [question]).trace == whole.trace, "question \(question)")
        }
    }

    @Test(arguments: [1, 2, 5])
    func `scheduled checkpoints leave the run as it is`(_ interval: Int) throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["epochs": 2])
        let whole = try run.uninterrupted(toy).finished
        run.checkpointSteps = interval
        let recorder = Recorder()
        #expect(try run.run(toy, recorder: recorder).trace == whole.trace)
        #expect(recorder.checkpoints == Array(stride(from: interval, to: 12, by: interval)))
    }

    @Test func `an interruption after a checkpoint does not save it again`() throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["epochs": 2])
        let whole = try run.uninterrupted(toy).finished
        run.checkpointSteps = 1
        for question in 8...12 {
            let other = try toy.copy(), recorder = Recorder()
            let interruption = try #require(try error(Interrupted.self) { try run.run(other, stop: Stop(after: question), recorder: recorder) })
            #expect(recorder.checkpoints == Array(1...(try #require(interruption.step))), "question \(question)")
            #expect(try run.run(other).trace == whole.trace)
        }
    }

    @Test func `a run that was killed goes on from its last scheduled checkpoint`() throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation()
        let whole = try run.uninterrupted(toy).finished
        run.checkpointSteps = 4
        let at = try run.interrupt(toy, after: 38)
        #expect(at > 8 && at % 4 != 0)
        // A kill leaves no checkpoint of its own: the one before is the newest.
        let key = try run.checkpoint(toy).key
        let reference = try #require(try toy.store.reference(kind: CheckpointStorage.progressKind, name: key.hex))
        let earlier = try reference.history.map(\.digest).first {
            try toy.store.artifact($0).attributes["state"]?["step"]?.integerValue == 8
        }
        try toy.store.setReference(kind: CheckpointStorage.progressKind, name: key.hex, to: #require(earlier), replace: true)
        let resumed = try run.run(toy)
        #expect(resumed.result.resumedFrom == 8)
        #expect(resumed.trace == whole.trace)
    }

    @Test func `restart begins anew`() throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["steps": 5])
        let whole = try run.uninterrupted(toy).finished
        #expect(try run.interrupt(toy, after: 13) > 0)
        run.configure = { $0.restarts = true }
        let recorder = Recorder()
        let restarted = try run.run(toy, recorder: recorder)
        #expect(restarted.result.resumedFrom == nil)
        #expect(recorder.steps.map(\.step) == [1, 2, 3, 4, 5])
        #expect(restarted.trace == whole.trace)
    }

    @Test func `a finished run leaves no progress`() throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation(["steps": 3])
        _ = try run.interrupt(toy, after: 5)
        #expect(try toy.store.references(kind: CheckpointStorage.progressKind).count == 1)
        _ = try run.run(toy)
        #expect(try toy.store.references(kind: CheckpointStorage.progressKind).isEmpty)
    }

    @Test func `a resumed run tells the log from its beginning`() throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation(["steps": 5])
        _ = try run.interrupt(toy, after: 13)
        let recorder = Recorder()
        let resumed = try run.run(toy, recorder: recorder)
        #expect(recorder.loggedLines.map { $0 + "\n" }.joined() == resumed.trace.log)
    }
}
