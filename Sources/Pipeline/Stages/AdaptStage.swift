import Foundation
import Models
import Optimizers
import Store
import Tensors

/// A model, a dataset, a recipe and a seed → a run and an adapted model.
///
/// A run is found by the digest of stage, version, canonical recipe and inputs. A finished one is returned from the store; an
/// unfinished one goes on from its newest checkpoint; a resumed run is bit for bit the uninterrupted one.
public struct AdaptStage {
    public static let version = 1

    public var model: String
    public var data: String
    public var name: String
    public var recipe: Recipe
    public var seed: UInt64
    /// Epochs of batches of row numbers of the training split, instead of the order of the seed.
    public var order: [[[Int]]]?
    /// Makes a new head even where the model's own would fit.
    public var makesNewHead = false
    public var replaces = false
    /// Forgets the checkpoints of an unfinished run.
    public var restarts = false
    public var checkpointSteps: Int?
    public var checkpointMinutes: Double? = 10
    /// Where to write what each step was computed from; see <doc:Trace>. The run itself stays the same.
    public var trace: URL?

    public init(model: String, data: String, name: String, recipe: Recipe, seed: UInt64 = 0) {
        (self.model, self.data, self.name, self.recipe, self.seed) = (model, data, name, recipe, seed)
    }

    public struct Result: Sendable {
        public let run: Digest
        public let record: RunRecord
        public let wasCached: Bool
        /// Completed updates of a checkpoint that the run went on from.
        public let resumedFrom: Int?
        /// Of the work done when the run was computed; nil when another store's clock would be needed.
        public let timing: RunTiming?
    }

    public func run(_ context: StageContext) throws -> Result {
        try NameInUse.checkForm(name)
        let setup = try AdaptSetup(self, context)
        let store = context.store
        // Until a checkpoint names them, nothing else keeps inputs whose names are removed meanwhile.
        let holds = try [setup.model.digest, setup.dataset.digest].map { try store.hold($0) }
        defer { for hold in holds { hold.release() } }
        if let result = try finished(setup, context) { return result }
        try NameInUse.check(store, kind: RunRecord.artifactKind, name: name, replaces: replaces, making: setup.key)
        try trace.map(StepTrace.checkIsFree)
        let claim = try claim(setup.key, context)
        defer { claim.release() }
        // Whoever had the claim before may have finished meanwhile.
        if try store.reference(kind: Store.stageKind, name: setup.key.hex) != nil, let result = try finished(setup, context) { return result }

        if order == nil, recipe.batchSize > setup.train.count {
            context.observe(.note("batch_size is \(recipe.batchSize) and there are \(setup.train.count) examples to train on: each step takes all of them"))
        }
        let work = try setup.makeWork(context)
        let checkpoints = CheckpointStorage(
            store: store, key: setup.key, numericPath: work.numericPath, optimizer: recipe.optimizer.summary, model: setup.model.artifact)
        var state = TrainingState(), best: Parameters?, resumedFrom: Int?
        if restarts { try checkpoints.discard() } else if let checkpoint = try checkpoints.newest() {
            (state, best) = try checkpoints.restore(
                checkpoint, weights: work.weights, optimizer: work.optimizer, keepsBest: recipe.selection == .best)
            // The best weights are saved apart only when they are not the present ones.
            if best == nil, recipe.selection == .best, state.bestStep == state.step { best = work.weights.copy() }
            resumedFrom = state.step
            context.observe(.logged(state.log))
            context.observe(.note("going on from step \(state.step) of \(setup.steps)"))
        }
        let trace = try trace.map { try StepTrace($0, work.objective, work.optimizer, rates: work.rates) }
        let trainer = Trainer(
            weights: work.weights, best: best, state: state, optimizer: work.optimizer, batches: work.batches, objective: work.objective,
            evaluator: work.evaluator, order: setup.order, steps: setup.steps, recipe: recipe, task: setup.dataset.task,
            train: setup.train, development: setup.development, beginsFinite: work.beginsFinite, context: context, trace: trace)
        try trainer.run(.init(everySteps: checkpointSteps, everyMinutes: checkpointMinutes)) { trainer in
            try checkpoints.save(trainer.state, weights: trainer.weights, optimizer: work.optimizer.state, best: trainer.best,
                                 provenance: setup.provenance)
        }
        try trace?.finish()
        let (digest, record) = try finish(trainer, setup, work, store)
        let timing = RunTiming(trainer.timing)
        try timing.write(setup.key, store)
        try store.memoize(setup.key, digest)
        try setName(digest, store)
        try checkpoints.discard()
        return Result(run: digest, record: record, wasCached: false, resumedFrom: resumedFrom, timing: timing)
    }

    /// The run from the store, with the name given to it; nil if nobody has finished it.
    private func finished(_ setup: AdaptSetup, _ context: StageContext) throws -> Result? {
        let store = context.store
        guard let digest = try store.memoized(setup.key) else { return nil }
        guard trace == nil else {
            throw PipelineError(.usage, "the run is in the store, so no step of it is computed that could be traced",
                                advice: "Trace another seed, or work in a new store.")
        }
        let record = try RunRecord(store.artifact(digest))
        let here = CPUBackend(threads: 1, precision: recipe.precision).numericPath
        if record.numericPath != here {
            context.observe(.note("the run in the store was computed by \(record.numericPath), and here would be by \(here): they differ by rounding"))
        }
        try setName(digest, store)
        return Result(run: digest, record: record, wasCached: true, resumedFrom: nil, timing: try RunTiming.read(setup.key, store))
    }

    /// The right to compute the run, as soon as no other process has it.
    private func claim(_ key: Digest, _ context: StageContext) throws -> WorkClaim {
        var isWaiting = false
        while true {
            if let claim = try context.store.claim(work: key) { return claim }
            guard trace == nil else {
                throw PipelineError(.usage, "another process is computing this run, so there would be no step of it left to trace",
                                    advice: "Trace another seed, or work in a new store.")
            }
            if !isWaiting { context.observe(.note("another process is computing this run; waiting until it is done")) }
            isWaiting = true
            if context.isCancelled() { throw Interrupted(step: nil) }
            Thread.sleep(forTimeInterval: 0.1)
        }
    }

    private func setName(_ digest: Digest, _ store: Store) throws {
        do { try NameInUse.give(store, kind: RunRecord.artifactKind, name: name, to: digest, replaces: replaces) }
        catch let error as PipelineError where error.code == .usage {
            throw PipelineError(
                error.code, "\(error.problem), and the run is finished and stored, without a name",
                advice: "The same command with another --name, or with --replace, finds it at once.")
        }
    }

    /// Stores the kept weights as a model, and the run.
    private func finish(_ trainer: Trainer, _ setup: AdaptSetup, _ work: AdaptSetup.Work, _ store: Store) throws
        -> (Digest, RunRecord) {
        let keepsBest = recipe.selection == .best && trainer.best != nil
        let kept = keepsBest ? trainer.best! : trainer.weights
        let selected = keepsBest ? trainer.state.bestStep ?? trainer.state.step : trainer.state.step
        let writer = try store.writer()
        for entry in kept.layout.entries {
            // An adapted tensor is stored as its difference to the one that it began from, where that is smaller.
            let name = ModelDescription.tensorPrefix + entry.name
            try writer.add(name: name, bytes: UnsafeRawBufferPointer(kept[entry]), elementType: ElementType.float32.rawValue,
                           shape: entry.shape, base: setup.model.artifact.blob(name))
        }
        try StoredTokenizer.copy(from: setup.model.artifact, store, to: writer)
        var provenance = setup.provenance
        provenance.source = setup.model.artifact.provenance.source
        provenance.license = setup.model.artifact.provenance.license
        let model = try writer.commit(kind: ModelDescription.artifactKind, attributes: setup.adapted.attributes(),
                                      provenance: provenance)
        let record = RunRecord(
            model: model, steps: trainer.state.step, epochs: setup.epochs(of: trainer.state.step), selectedStep: selected,
            metrics: try setup.metrics(at: selected, in: trainer.state), developmentSplit: setup.development?.name,
            numericPath: work.numericPath, seed: seed, trainExamples: setup.train.count,
            passes: try PassTotals(log: trainer.state.log))
        let runWriter = try store.writer()
        try runWriter.add(name: RunRecord.logName, data: trainer.state.logData)
        let run = try runWriter.commit(kind: RunRecord.artifactKind, attributes: record.attributes, provenance: setup.provenance)
        return (run, record)
    }
}

/// How long a run took where it was computed. Not part of any artifact's identity: kept under `refs/timing/<run key>`.
public struct RunTiming: Hashable, Sendable, Codable {
    /// Wall-clock seconds of training and evaluation, in the process that finished the run.
    public let seconds: Double
    /// Rates of the training steps alone.
    public let examplesPerSecond: Double
    public let tokensPerSecond: Double

    enum CodingKeys: String, CodingKey {
        case seconds
        case examplesPerSecond = "examples_per_second"
        case tokensPerSecond = "tokens_per_second"
    }

    init(_ timing: Trainer.Timing) {
        (seconds, examplesPerSecond, tokensPerSecond) = (timing.seconds, timing.examplesPerSecond, timing.tokensPerSecond)
    }

    private static let kind = "timing"

    func write(_ key: Digest, _ store: Store) throws {
        let digest = try store.writer().commit(
            kind: Self.kind, attributes: JSONValue(encoding: self), provenance: Provenance(stage: "adapt", stageVersion: AdaptStage.version))
        try store.setReference(kind: Self.kind, name: key.hex, to: digest, replace: true)
    }

    static func read(_ key: Digest, _ store: Store) throws -> RunTiming? {
        guard let reference = try store.reference(kind: kind, name: key.hex) else { return nil }
        return try store.artifact(reference.digest).attributes.decode()
    }
}
