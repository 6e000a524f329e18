import Models
import Optimizers

/// What the steps of a run cost, in tokens through the whole encoder each way for each token of the batch.
public struct ExpectedCost: Sendable {
    /// Of a step without noise; trials are apart.
    public let plainStep: ExpectedPasses
    /// Of a step with noise; nil for an objective that has none.
    public let noiseStep: ExpectedPasses?
    /// Share of the run's steps that have noise.
    public let noiseShare: Double
    /// What a search adds; nil for a schedule.
    public let trials: Trials?

    public struct Trials: Sendable {
        /// Forward passes of one trial, on the mean over steps with and without noise.
        public let passes: Double
        /// Trials of a step that searches and accepts at once.
        public let least: Double
        /// Trials of a step that searches, on the mean while the step size holds; nil where that is not known without the data.
        public let steady: Double?
        public let longestInterval: Int
        /// Whether `least` is for each unit, and the units are not known without the model.
        public let isPerUnit: Bool
        /// Evaluations of the loss after the move of units that are tried one at a time.
        public let afterMove: Double
        /// Steps at the start that search one step size: one trial at least, and none of these.
        public let jointSteps: Int
        /// Trials of one step size that are not accepted, in a step, on the mean while it holds; 0 where that is not known without the data.
        public let backtracks: Double
    }

    /// The mean of the gradient passes over the run's steps.
    public var meanStep: ExpectedPasses {
        noiseStep.map { noiseShare * $0 + (1 - noiseShare) * plainStep } ?? plainStep
    }

    /// Forward passes that a search is likely to add to a step, if every step searches. Step sizes that are not searched have not lost
    /// by backtracking what they gained: over the length of usual runs they grow.
    public var trialPasses: Double { trials.map { ($0.least * (1 + $0.backtracks) + $0.afterMove) * $0.passes } ?? 0 }

    /// - Parameters:
    ///   - search: as the run will have it.
    ///   - steps: updates, and updates of an epoch; nil without data.
    ///   - units: units of the search; nil without a model.
    ///   - plain: of a gradient without noise.
    init(_ recipe: Recipe, search: any LineSearch, steps: Int?, units: Int?, plain: ExpectedPasses = .plain) {
        // Sharpness-aware descent takes the gradient twice.
        let gradients = recipe.sharpnessRadius > 0 ? 2.0 : 1.0
        // Beside the first gradient in bfloat16 a search needs its loss in float32.
        func lossBeside(_ passes: Double) -> ExpectedPasses {
            let isApart = recipe.optimizer.triesSteps && recipe.precision == .bf16
            return ExpectedPasses(forward: isApart ? passes : 0, inputGradient: 0, weightGradient: 0)
        }
        plainStep = gradients * plain + lossBeside(1)
        let settings = recipe.objective.settings
        let share = settings?.activeShare(steps: steps) ?? 0
        noiseShare = share
        noiseStep = settings.map { gradients * $0.stepPasses(plain) + lossBeside($0.lossPasses) }
        let isKnown = steps != nil || recipe.optimizer.values["growth_period"] != "epoch"
        trials = search.expectedTrials(units: units).map { trials in
            Trials(
                passes: share * (settings?.lossPasses ?? 1) + (1 - share), least: trials.least, steady: isKnown ? trials.steady : nil,
                longestInterval: trials.longestInterval, isPerUnit: trials.isPerUnit, afterMove: trials.afterMove,
                jointSteps: trials.jointSteps, backtracks: isKnown ? trials.backtracks : 0)
        }
    }
}
