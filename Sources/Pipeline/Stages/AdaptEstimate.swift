import Foundation
import Models
import Optimizers
import Store
import Tensors

/// What a run will take, measured by a few of its own steps whose results are thrown away.
public struct AdaptEstimate: Sendable {
    public let steps: Int
    public let parameters: Int
    /// Trained ones among them.
    public let trainedParameters: Int
    /// Weights, gradient, moments, best weights, activations, weights as products take them, data.
    public let memoryBytes: Int
    /// The adapted model and the checkpoints, which stay until a collection, all before compression.
    public let diskBytes: Int
    public let secondsPerStep: Double
    /// All steps and evaluations.
    public let seconds: Double
    public let numericPath: String
}

extension AdaptStage {
    /// Estimates time, memory and disk of the run without storing anything.
    public func estimate(_ context: StageContext) throws -> AdaptEstimate {
        let setup = try AdaptSetup(self, context)
        let work = try setup.makeWork(context)
        let clock = ContinuousClock()
        var measured: [MeasuredStep] = []
        for step in 0..<min(setup.steps, 4) {
            let (epoch, batch) = setup.order.place(step: step)
            let started = clock.now
            work.batches.select(setup.order.batch(batch, epoch: epoch, of: setup.order.permutation(epoch: epoch)), step: step)
            let report = try work.optimizer.step(work.objective)
            let settings = recipe.objective.settings
            measured.append(MeasuredStep(
                seconds: Trainer.seconds(clock.now - started), hasNoise: settings?.isActive(step: step, of: setup.steps) ?? false,
                trials: report.trials?.forwardPasses ?? 0))
        }
        let search = work.optimizer.search
        let cost = ExpectedCost(
            recipe, search: search, steps: setup.steps, units: search.partition?.units(of: work.trainedEntries.map(\.unit)).count,
            plain: .plain(blocks: setup.adapted.configuration.layerCount, frozen: work.optimizer.rates.frozen))
        let time = MeasuredStep.time(measured, cost, lossPasses: recipe.objective.settings?.lossPasses ?? 1)
        let tokensPerStep = Double(setup.train.ids.count) / Double(setup.order.batchCount(epoch: 0))
        // A forward pass is about a third of a plain step.
        let perEvaluation = setup.development.map { Double($0.ids.count) / tokensPerStep * time.plainStep / 3 } ?? 0
        let evaluations = Double(recipe.evaluation.count(from: 1, through: setup.steps, epochSteps: setup.order.batchCount(epoch: 0)))
        let weights = work.weights.buffer.byteCount, moments = work.optimizer.state.byteCount
        let best = recipe.keepsBest(hasDevelopment: setup.development != nil) ? weights : 0
        let seconds = Double(setup.steps) * time.meanStep + time.descent + evaluations * perEvaluation
        let bySteps = checkpointSteps.map { setup.steps / $0 } ?? 0, byMinutes = checkpointMinutes.map { Int(min(1e6, seconds / 60 / $0)) } ?? 0
        let memory = ExpectedMemory(recipe, setup.measures(of: work)).items.compactMap(\.bytes).reduce(0, +)
        return AdaptEstimate(
            steps: setup.steps, parameters: work.network.layout.parameterCount,
            trainedParameters: work.trainedParameterCount,
            memoryBytes: memory,
            diskBytes: weights + max(1, bySteps, byMinutes) * (weights + moments + best), secondsPerStep: time.meanStep, seconds: seconds, numericPath: work.numericPath)
    }
}
