import Foundation
import Optimizers
import Store
import Testing

@testable import Pipeline

/// A run of the tiny model on a toy task, and what it left.
struct ToyAdaptation {
    /// Three epochs of six updates, the last of four examples left over; micro-batches of one to three sentences.
    var recipe: [String: HyperparameterValue] = [
        "batch_size": 4, "epochs": 3, "learning_rate": 5e-3, "micro_batch_tokens": 24, "warmup": 0,
    ]
    var model = "tiny"
    var data = "toy"
    var name = "run"
    var seed: UInt64 = 7
    var threads = 1
    var checkpointSteps: Int?
    var configure: (inout AdaptStage) -> Void = { _ in }

    init(_ changes: [String: HyperparameterValue] = [:]) {
        recipe.merge(changes) { $1 }
        if changes["steps"] != nil { recipe["epochs"] = nil }
        // A line search has no learning rate.
        if (try? Catalogue.row(named: changes["optimizer"]?.text ?? "adamw").resolve([:]).triesSteps) == true {
            for key in ["learning_rate", "warmup"] where changes[key] == nil { recipe[key] = nil }
        }
    }

    var stage: AdaptStage {
        get throws {
            var stage = AdaptStage(model: model, data: data, name: name, recipe: try Recipe(recipe), seed: seed)
            stage.checkpointSteps = checkpointSteps
            stage.checkpointMinutes = nil
            configure(&stage)
            return stage
        }
    }

    /// What must not depend on how a run came to its end.
    struct Trace: Equatable {
        let run: Digest
        let model: Digest
        let log: String
    }

    struct Finished {
        let result: AdaptStage.Result
        let trace: Trace

        var log: [JSONValue] { get throws { try trace.log.split(separator: "\n").map { try JSONValue(parsing: String($0)) } } }
        func events(_ name: String) throws -> [JSONValue] { try log.filter { $0["event"]?.stringValue == name } }
    }

    func run(_ toy: ToyStore, stop: Stop = .never, recorder: Recorder? = nil) throws -> Finished {
        let result = try stage.run(toy.context(threads: threads, stop: stop, recorder: recorder))
        let artifact = try toy.store.artifact(result.run)
        let log = try #require(artifact.blob(RunRecord.logName))
        return Finished(
            result: result,
            trace: Trace(run: result.run, model: result.record.model, log: String(decoding: try toy.store.data(log), as: UTF8.self)))
    }

    /// Runs until the stage has asked `question` times whether to stop; returns the last completed update.
    func interrupt(_ toy: ToyStore, after question: Int) throws -> Int {
        let interruption = try error(Interrupted.self) { try run(toy, stop: Stop(after: question)) }
        return try #require(interruption?.step, "the run came to its end within \(question) questions")
    }

    /// Runs to the end in a copy of the store, stopped and begun again after each number of questions.
    func run(_ toy: ToyStore, interruptedAfter questions: [Int]) throws -> Finished {
        let other = try toy.copy()
        for question in questions { _ = try interrupt(other, after: question) }
        return try run(other)
    }

    /// The uninterrupted run in a copy of the store, and how often it asks whether to stop.
    func uninterrupted(_ toy: ToyStore) throws -> (finished: Finished, questions: Int) {
        let stop = Stop.never
        return (try run(toy.copy(), stop: stop), stop.asked)
    }

    /// The newest checkpoint of the unfinished run.
    func checkpoint(_ toy: ToyStore) throws -> (key: Digest, artifact: Artifact) {
        let key = try AdaptSetup(stage, toy.context()).key
        let reference = try #require(try toy.store.reference(kind: CheckpointStorage.progressKind, name: key.hex))
        return (key, try toy.store.artifact(reference.digest))
    }
}
