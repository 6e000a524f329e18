/// A step that was timed, and what it did.
struct MeasuredStep {
    let seconds: Double
    let hasNoise: Bool
    /// Evaluations of the loss beside the one that gave the gradient.
    let trials: Int

    /// - Parameter lossPasses: forward passes of a loss with noise.
    /// - Returns: seconds of a plain step, of a step of the run on the mean, and what the first searches take beyond that, once.
    static func time(_ steps: [MeasuredStep], _ cost: ExpectedCost, lossPasses: Double) -> (plainStep: Double, meanStep: Double, descent: Double) {
        func trialPasses(_ step: MeasuredStep) -> Double { Double(step.trials) * (step.hasNoise ? lossPasses : 1) }
        // The first step warms up caches and pages; the median of the others is the measure. Steps with noise cost more, and those at hand may
        // have it all or not at all.
        let plain = steps.dropFirst(steps.count > 1 ? 1 : 0).map { step in
            step.seconds / ((step.hasNoise ? cost.noiseStep ?? cost.plainStep : cost.plainStep).plainSteps + trialPasses(step) / 3)
        }.sorted()[max(0, steps.count - 1) / 2]
        // A search begins far from where its step size will be.
        let descent = max(0, steps.reduce(0) { $0 + trialPasses($1) } - Double(steps.count) * cost.trialPasses)
        return (plain, plain * (cost.meanStep.plainSteps + cost.trialPasses / 3), plain * descent / 3)
    }
}
