import Foundation
import Models
import Optimizers
import Store
import Tensors

/// The training loop: evaluate when it is due, save when it is due, step, until the end.
///
/// Everything that a later step depends on is in `state`, the weights and the optimizer; the loop itself remembers nothing.
final class Trainer {
    /// When checkpoints are written besides interruptions.
    struct Schedule: Sendable {
        var everySteps: Int?
        var everyMinutes: Double?
    }

    struct Timing: Sendable {
        var seconds = 0.0, stepSeconds = 0.0
        var examples = 0, tokens = 0, steps = 0
        var evaluations = 0, evaluationSeconds = 0.0

        var examplesPerSecond: Double { stepSeconds > 0 ? Double(examples) / stepSeconds : 0 }
        var tokensPerSecond: Double { stepSeconds > 0 ? Double(tokens) / stepSeconds : 0 }
    }

    let weights: Parameters
    private(set) var best: Parameters?
    private(set) var state: TrainingState
    private(set) var timing = Timing()

    private let optimizer: Optimizer
    private let batches: BatchObjective
    private let objective: any Objective
    private let evaluator: Evaluator
    private let order: BatchOrder
    private let steps: Int
    private let recipe: Recipe
    private let task: TaskDefinition
    private let train: TokenSplit
    private let development: TokenSplit?
    private let beginsFinite: Bool
    private let context: StageContext
    private let trace: StepTrace?

    /// - Parameter beginsFinite: whether all weights were numbers before the first update, and are to stay so.
    init(weights: Parameters, best: Parameters?, state: TrainingState, optimizer: Optimizer, batches: BatchObjective, objective: any Objective,
         evaluator: Evaluator, order: BatchOrder, steps: Int, recipe: Recipe, task: TaskDefinition, train: TokenSplit,
         development: TokenSplit?, beginsFinite: Bool, context: StageContext, trace: StepTrace? = nil) {
        (self.weights, self.best, self.state, self.optimizer) = (weights, best, state, optimizer)
        (self.batches, self.objective, self.trace) = (batches, trace?.objective ?? objective, trace)
        (self.evaluator, self.order, self.steps, self.recipe, self.task) = (evaluator, order, steps, recipe, task)
        (self.train, self.development, self.beginsFinite, self.context) = (train, development, beginsFinite, context)
    }

    /// Trains to the end. `save` is called for checkpoints; an interruption saves the last completed update and throws `Interrupted`.
    func run(_ schedule: Schedule, save: (Trainer) throws -> Void) throws {
        let clock = ContinuousClock(), start = clock.now
        var lastSave = start, savedStep: Int?, permutation: (epoch: Int, order: [Int])?
        defer { timing.seconds += Self.seconds(clock.now - start) }
        func checkpoint() throws {
            guard savedStep != state.step else { return }
            optimizer.settle(weights)
            try save(self)
            (lastSave, savedStep) = (clock.now, state.step)
            context.observe(.checkpoint(step: state.step))
        }
        do {
            while true {
                if isEvaluationDue { try evaluate(clock) }
                if state.isStopped || state.step >= steps {
                    if state.evaluatedStep != state.step { try settle() }
                    return
                }
                if isSaveDue(schedule, since: Self.seconds(clock.now - lastSave)) { try checkpoint() }
                let (epoch, batch) = order.place(step: state.step)
                if permutation?.epoch != epoch { permutation = (epoch, order.permutation(epoch: epoch)) }
                try advance(order.batch(batch, epoch: epoch, of: permutation!.order), epoch: epoch, clock)
            }
        } catch is Interrupted {
            try checkpoint()
            throw Interrupted(step: state.step)
        }
    }

    private func advance(_ examples: ArraySlice<Int>, epoch: Int, _ clock: ContinuousClock) throws {
        if context.isCancelled() { throw Interrupted(step: state.step) }
        if trace != nil { optimizer.settle(weights) }
        let started = clock.now
        batches.select(examples, step: state.step)
        let isLast = order.isEndOfEpoch(step: state.step)
        let before = batches.passes
        let report = try optimizer.step(objective)
        state.step += 1
        state.epochLoss += report.loss * Double(examples.count)
        state.epochExamples += examples.count
        let line = StepLine.json(
            report, passes: batches.passes - before, noise: batches.diagnostics, epoch: epoch + 1, examples: examples.count)
        try log(line)
        try trace?.write(report, examples, of: train, line: line)
        if isLast {
            try log([
                "event": "epoch", "step": .integer(Int64(state.step)), "epoch": .integer(Int64(epoch + 1)),
                "mean_loss": .number(state.epochLoss / Double(state.epochExamples)),
                "examples": .integer(Int64(state.epochExamples)),
            ])
            (state.epochLoss, state.epochExamples) = (0, 0)
        }
        timing.stepSeconds += Self.seconds(clock.now - started)
        timing.steps += 1
        timing.examples += examples.count
        timing.tokens += examples.reduce(0) { $0 + train.length($1) }
        let perStep = timing.stepSeconds / Double(timing.steps)
        let evaluationsLeft = development == nil
            ? 0 : recipe.evaluation.count(from: state.step, through: steps, epochSteps: order.batchCount(epoch: epoch))
        let perEvaluation = timing.evaluations > 0 ? timing.evaluationSeconds / Double(timing.evaluations) : 0
        context.observe(.step(StepProgress(
            step: state.step, steps: steps, epoch: Double(epoch) + Double(order.place(step: state.step - 1).batch + 1) / Double(order.batchCount(epoch: epoch)),
            loss: report.loss, learningRate: report.learningRate, examplesPerSecond: timing.examplesPerSecond,
            tokensPerSecond: timing.tokensPerSecond,
            secondsLeft: Double(steps - state.step) * perStep + Double(evaluationsLeft) * perEvaluation)))
    }

    private func log(_ line: JSONValue) throws {
        try state.append(line)
        context.observe(.logged([state.log[state.log.count - 1]]))
    }

    // MARK: Evaluation

    private func isDue(_ step: Int) -> Bool {
        guard development != nil, step > 0 else { return false }
        switch recipe.evaluation {
        case .never: return false
        case .atEnd: return step == steps
        case .everyEpoch: return step == steps || order.isEndOfEpoch(step: step - 1)
        case .every(let interval): return step == steps || step % interval == 0
        }
    }

    private var isEvaluationDue: Bool { state.evaluatedStep != state.step && isDue(state.step) }

    /// Brings the weights up to date. The loss would tell of ruined ones at the next update alone.
    private func settle() throws {
        optimizer.settle(weights)
        guard beginsFinite, let fault = weights.firstNotFinite else { return }
        throw OptimizerError.weightNotFinite(tensor: fault.tensor, element: fault.element, value: "\(fault.value)", step: state.step)
    }

    private func evaluate(_ clock: ContinuousClock) throws {
        guard let development else { return }
        let started = clock.now
        try settle()
        let logits = try evaluator.logits(development, weights, isCancelled: context.isCancelled)
        let metrics = Prediction.metrics(logits, development, task)
        // An undefined metric is worse than any defined one; as long as there is no other, the newest weights are the best.
        let primary = (metrics.first { $0.name == task.primaryMetric }?.value ?? nil) ?? -.infinity
        let isBest = state.bestMetric.map { primary > $0 || $0 == -.infinity } ?? true
        if isBest {
            (state.bestMetric, state.bestStep, state.stale) = (primary, state.step, 0)
            if recipe.selection == .best {
                if let best { best.assign(from: weights) } else { best = weights.copy() }
            }
        } else {
            state.stale += 1
            if recipe.patience > 0, state.stale >= recipe.patience { state.isStopped = true }
        }
        state.evaluatedStep = state.step
        try log([
            "event": "evaluation", "step": .integer(Int64(state.step)), "split": .string(development.name),
            "metrics": .object(Dictionary(uniqueKeysWithValues: metrics.map { ($0.name, $0.value.map { .number($0) } ?? .null) })),
            "best": .bool(isBest),
        ])
        timing.evaluations += 1
        timing.evaluationSeconds += Self.seconds(clock.now - started)
        context.observe(.evaluation(step: state.step, split: development.name, metrics: metrics, isBest: isBest))
    }

    private func isSaveDue(_ schedule: Schedule, since seconds: Double) -> Bool {
        guard timing.steps > 0 else { return false }
        if let steps = schedule.everySteps, state.step % steps == 0 { return true }
        if let minutes = schedule.everyMinutes, seconds >= minutes * 60 { return true }
        return false
    }

    static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }
}
