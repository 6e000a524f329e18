import Foundation
import Models
import Optimizers
import Store
import Tensors

/// A run's inputs, found and checked, and its identity.
struct AdaptSetup {
    let model: StoredModel
    let dataset: PreparedDataset
    /// What the adapted model will be.
    let adapted: ModelDescription
    let keepsHead: Bool
    let train: TokenSplit
    let development: TokenSplit?
    let order: BatchOrder
    let steps: Int
    /// Tokens that no batch has more of.
    private let longestBatch: Int
    let provenance: Provenance
    let key: Digest
    private let recipe: Recipe
    private let seed: UInt64

    init(_ stage: AdaptStage, _ context: StageContext) throws {
        let store = context.store
        (recipe, seed) = (stage.recipe, stage.seed)
        model = try StoredModel.find(stage.model, in: store, preferring: .model)
        dataset = try PreparedDataset.find(stage.data, in: store)
        try dataset.check(fits: model)
        let task = dataset.task, head = HeadConfiguration(task)
        adapted = ModelDescription(
            configuration: model.description.configuration,
            head: .init(configuration: head, labels: task.labels), task: task)
        keepsHead = !stage.makesNewHead && Self.fits(model.description.head, task, head)
        guard let statistics = dataset.splits.first(where: { $0.name == "train" }), statistics.isLabelled, statistics.examples > 0 else {
            throw PipelineError(.unfitInput, "the dataset has no labelled split 'train'",
                                advice: "Prepare it from data with a training file.")
        }
        train = try dataset.load(split: "train", from: store, for: model)
        if let dev = dataset.splits.first(where: { $0.name == task.developmentSplit }), dev.isLabelled, dev.examples > 0,
           recipe.evaluation != .never {
            development = try dataset.load(split: task.developmentSplit, from: store, for: model)
        } else { development = nil }
        if development == nil, recipe.patience > 0 {
            throw PipelineError(.recipe, "patience needs evaluations, and the dataset has nothing to evaluate on",
                                advice: "Prepare the dataset with a labelled split '\(task.developmentSplit)', or set patience=0.")
        }
        switch recipe.evaluation {
        case .atEnd where development == nil, .every where development == nil:
            throw PipelineError(.recipe, "evaluate says when to evaluate, and the dataset has nothing to evaluate on",
                                advice: "Prepare the dataset with a labelled split '\(task.developmentSplit)', or leave evaluate out.")
        default: break
        }
        if !recipe.classWeights.isEmpty, task.labels.isEmpty {
            throw PipelineError(.recipe, "class_weights is for classes, and the task is a regression", advice: "Leave it out.")
        }
        if !recipe.classWeights.isEmpty, recipe.classWeights.count != task.labels.count {
            throw PipelineError(.recipe, "class_weights has \(recipe.classWeights.count) numbers and the task \(task.labels.count) classes",
                                advice: "The classes are, in order: \(task.labels.joined(separator: ", ")).")
        }
        if recipe.balancesClasses, head.loss != .crossEntropy {
            throw PipelineError(.recipe, "class_weights=balanced needs a classification task")
        }
        order = try stage.order.map { try BatchOrder(fixed: $0, exampleCount: statistics.examples) }
            ?? BatchOrder(exampleCount: train.count, batchSize: recipe.batchSize, seed: stage.seed)
        let train = train
        longestBatch = order.mostTokens { train.length($0) }
        steps = switch recipe.length {
        case .steps(let steps): steps
        case .epochs(let epochs): order.steps(epochs: epochs)
        }
        provenance = Provenance(
            stage: "adapt", stageVersion: AdaptStage.version,
            recipe: ["recipe": recipe.canonical, "seed": .integer(Int64(bitPattern: stage.seed)),
                     "order": try order.identity ?? .null, "keeps_head": .bool(keepsHead)],
            inputs: ["model": model.digest, "dataset": dataset.digest])
        key = try provenance.stageKey()
    }

    /// Whether a model's own head predicts what the task asks for.
    private static func fits(_ own: ModelDescription.Head?, _ task: TaskDefinition, _ head: HeadConfiguration) -> Bool {
        guard let own, own.configuration == head else { return false }
        return own.means(task.labels)
    }

    func epochs(of step: Int) -> Double {
        guard step > 0 else { return 0 }
        let (epoch, batch) = order.place(step: step - 1)
        return Double(epoch) + Double(batch + 1) / Double(order.batchCount(epoch: epoch))
    }

    /// The metrics that the log has for a step, in the task's order.
    func metrics(at step: Int, in state: TrainingState) throws -> [NamedValue] {
        for line in state.log.reversed() {
            let json = try JSONValue(parsing: line)
            guard json["event"] == "evaluation", json["step"]?.integerValue == Int64(step) else { continue }
            return dataset.task.metrics.map { NamedValue($0, json["metrics"]?[$0]?.doubleValue) }
        }
        return []
    }

    /// Everything that takes memory.
    struct Work {
        let backend: CPUBackend
        let network: SequenceModel<CPUBackend>
        let weights: Parameters
        /// Whether the weights that a run begins with are all numbers, which a model need not have that was imported so.
        let beginsFinite: Bool
        let optimizer: Optimizer
        /// Selects the batch; `objective` evaluates it, as it is or decorated.
        let batches: BatchObjective
        let objective: any Objective
        /// Of the first step; each sets its own number.
        let rates: DropoutRates
        /// Bytes of weights as products take them, which are kept while they do not change.
        let packedByteCount: Int
        /// Bytes of noise that the recipe's objective keeps.
        let noiseByteCount: Int
        let evaluator: Evaluator
        let numericPath: String

        /// The parameters that the optimizer moves.
        var trainedEntries: [ParameterLayout.Entry] { network.layout.entries.filter { !optimizer.rates.frozen.contains($0.unit) } }
        var trainedParameterCount: Int { trainedEntries.reduce(0) { $0 + $1.count } }
    }

    /// Tokens and sequences in memory at a time: no more than a batch or the development split has.
    var capacity: (tokens: Int, sequences: Int) {
        let most = max(longestBatch, development?.ids.count ?? 0)
        let tokens = max(min(recipe.microBatchTokens, most), train.longest, development?.longest ?? 0)
        return (tokens, max(1, min(tokens / 2, 1024)))
    }

    func makeWork(_ context: StageContext) throws -> Work {
        let backend = CPUBackend(threads: context.threads, precision: recipe.precision)
        let head = adapted.head!.configuration
        let network = SequenceModel(adapted.configuration, head, backend: backend, tokenCapacity: capacity.tokens,
                                    sequenceCapacity: capacity.sequences, trains: true,
                                    activationSets: recipe.objective.activationSets, changesPrecision: recipe.optimizer.triesSteps)
        let weights = Parameters(layout: network.layout)
        let missing = try model.load(into: weights) { entry in
            keepsHead || entry.unit != .head || adapted.configuration.family.denseIsPretrained
                && entry.name.hasPrefix(adapted.configuration.family.denseName + ".")
        }
        WeightInitialization.fill(weights, names: missing, deviation: adapted.configuration.initializerRange, seed: seed)
        let optimizer = try recipe.optimizer.makeOptimizer(
            layout: network.layout, steps: steps, batch: order.batchSize, epochSteps: order.batchCount(epoch: 0), seed: seed,
            dormant: DormantRows(tensor: adapted.configuration.wordTable, count: adapted.configuration.vocabularySize, used: train.ids)
        ) { count, body in
            backend.parallel(count, body)
        }
        let c = adapted.configuration
        let rates = DropoutRates(
            hidden: recipe.dropout ?? c.hiddenDropout, attention: recipe.dropout ?? c.attentionDropout,
            classifier: recipe.dropout ?? c.classifierDropout ?? c.hiddenDropout, seed: seed, step: 0)
        let frozen = try recipe.optimizer.rates(for: network.layout).frozen
        let pass: (any TrainingPass<CPUBackend>)? = recipe.objective.settings.map {
            AdversarialPass(network, $0, seed: seed, steps: steps, keptTokens: recipe.optimizer.triesSteps ? longestBatch : nil)
        }
        let batches = BatchObjective(
            model: network, parameters: weights, data: train, classWeights: classWeights, rates: rates, frozen: frozen, pass: pass,
            comparesLosses: recipe.optimizer.triesSteps, cleared: optimizer.gradientElements, isCancelled: context.isCancelled)
        let objective: any Objective = recipe.sharpnessRadius == 0
            ? batches
            : try SharpnessAwareObjective(batches, radius: recipe.sharpnessRadius, frozen: frozen) { backend.parallel($0, $1) }
        return Work(backend: backend, network: network, weights: weights, beginsFinite: weights.firstNotFinite == nil, optimizer: optimizer, batches: batches, objective: objective,
                    rates: rates, packedByteCount: packedBytes(network, frozen: frozen), noiseByteCount: (pass as? AdversarialPass<CPUBackend>)?.noiseByteCount ?? 0,
                    evaluator: Evaluator(model: network), numericPath: backend.numericPath)
    }

    /// Of a step, which takes weights both ways, or of an evaluation, which takes them forward only.
    private func packedBytes(_ network: SequenceModel<CPUBackend>, frozen: Set<ParameterUnit>) -> Int {
        let forward = network.layout.entries.filter { $0.role == .weight && $0.unit != .head }.reduce(0) { $0 + $1.count }
        let plain = ExpectedPasses.plain(blocks: network.configuration.layerCount, frozen: frozen)
        let noise = recipe.objective.settings.flatMap { $0.isPlain ? nil : $0 }, passes = noise?.stepPasses(plain) ?? plain
        // Noise is climbed with a gradient that goes back through every block.
        let back = noise == nil ? Int((Double(forward) * plain.inputGradient).rounded()) : forward
        let uses = Int(passes.forward * Double(network.passes(tokens: longestBatch)))
        return max(network.backend.keptBytes(elements: forward + back, uses: uses),
                   network.backend.keptBytes(elements: forward, uses: network.passes(tokens: development?.ids.count ?? 0)))
    }

    /// Weights of the classes; `balanced` gives n/(K·nₖ), 0 for a class without examples.
    private var classWeights: [Float]? {
        if recipe.balancesClasses {
            let K = dataset.task.outputCount
            var counts = [Int](repeating: 0, count: K)
            for label in train.classes ?? [] { counts[Int(label)] += 1 }
            return counts.map { $0 == 0 ? 0 : Float(Double(train.count) / (Double(K) * Double($0))) }
        }
        return recipe.classWeights.isEmpty ? nil : recipe.classWeights
    }
}
