import Foundation

/// The constants that every backtracking search has, and the loop over its trials.
///
/// ```
/// η ← min(η_max, η·γ^(1/p))
/// at most N times:  try w + η·d;  accept when f(w) − f(w + η·d) ≥ c·η·(−gᵀd) − tolerance;  otherwise η ← β·η
/// ```
/// Source: the stochastic line search of Vaswani et al., arXiv 1905.09997, with its reset rule that grows the last step size.
public struct ArmijoRule: Hashable, Sendable {
    /// c: the share of the predicted decrease that a trial has to reach.
    public var sufficientDecrease: Double
    /// β: factor after a trial that is not accepted.
    public var backtrack: Double
    /// η before the first step.
    public var initialStep: Double
    /// γ: growth of η over `growthPeriod` steps.
    public var growth: Double
    /// p: steps over which η grows by γ when nothing holds it back.
    public var growthPeriod: Int
    /// η_max.
    public var maximumStep: Double
    /// N.
    public var maximumTrials: Int
    /// After a step without an accepted trial η is its value before the step times β to this power.
    public var rejectionShrink: Double
    /// In units in the last place of the loss as a float32. Losses below 1e-6 count as 1e-6.
    public var toleranceUnits: Double
    /// Tests −P⁻¹g and applies the chain's direction with its momentum. Takes away the guarantee that the loss falls.
    public var momentumAfterAcceptance: Bool

    public init(
        sufficientDecrease: Double = 0.1, backtrack: Double = 0.9, initialStep: Double = 0.1, growth: Double = 2,
        growthPeriod: Int, maximumStep: Double = 10, maximumTrials: Int = 100, rejectionShrink: Double = 10,
        toleranceUnits: Double = 4, momentumAfterAcceptance: Bool = false
    ) {
        precondition(sufficientDecrease > 0 && sufficientDecrease < 1 && backtrack > 0 && backtrack < 1)
        precondition(initialStep > 0 && maximumStep > 0 && growth >= 1 && growthPeriod >= 1)
        precondition(maximumTrials >= 1 && rejectionShrink >= 0 && toleranceUnits >= 0)
        self.sufficientDecrease = sufficientDecrease
        self.backtrack = backtrack
        self.initialStep = initialStep
        self.growth = growth
        self.growthPeriod = growthPeriod
        self.maximumStep = maximumStep
        self.maximumTrials = maximumTrials
        self.rejectionShrink = rejectionShrink
        self.toleranceUnits = toleranceUnits
        self.momentumAfterAcceptance = momentumAfterAcceptance
    }

    var hyperparameters: [(key: String, value: HyperparameterValue)] {
        [
            ("armijo_c", .real(sufficientDecrease)), ("backtrack", .real(backtrack)),
            ("initial_step", .real(initialStep)), ("growth", .real(growth)), ("growth_period", .integer(growthPeriod)),
            ("max_step", .real(maximumStep)), ("max_trials", .integer(maximumTrials)),
            ("rejection_shrink", .real(rejectionShrink)), ("search_tolerance", .real(toleranceUnits)),
            ("momentum_after_acceptance", .flag(momentumAfterAcceptance)),
        ]
    }

    /// The loop over trials, with the condition that a search has in it.
    func formula(accepting condition: String, displacing tried: String) -> [String] {
        var lines = [
            "η ← min(\(maximumStep), η·\(growth)^(1/growth_period))        η = \(initialStep) before the first step",
            "at most \(maximumTrials) times: f at \(tried), same batch and masks; accept when \(condition); otherwise η ← \(backtrack)·η",
            "c = \(sufficientDecrease); tolerance = \(toleranceUnits) units in the last place of the float32 loss",
            "nothing accepted: the weights stay, η is its value before the step times \(backtrack)^\(rejectionShrink)",
            "d = −u; where −gᵀd ≤ 0 the direction without momentum and decay takes its place",
        ]
        if momentumAfterAcceptance { lines.append("trials go without momentum, the accepted step with it: the loss may rise") }
        return lines
    }

    static let condition = "f(w) − f(w + η·d) ≥ c·η·(−gᵀd) − tolerance"

    /// Backtracks a search has on the mean while its step size neither grows nor falls over many: as many as undo the growth.
    var steadyBacktracks: Double { log(growth) / Double(growthPeriod) / log(1 / backtrack) }

    var tested: TestedDirection { momentumAfterAcceptance ? .preconditionedGradient : .full }

    /// The step size that a step tries first.
    func grown(_ stepSize: Double) -> Double { min(maximumStep, stepSize * pow(growth, 1 / Double(growthPeriod))) }

    /// The step size after a step without an accepted trial, from its value before that step.
    func shrunk(_ stepSize: Double) -> Double { stepSize * pow(backtrack, rejectionShrink) }

    /// How much a measured decrease may fall short because of rounding, at a loss of this size.
    func tolerance(at loss: Double) -> Double { toleranceUnits * Double(Float(max(abs(loss), 1e-6)).ulp) }

    /// The plain condition.
    func accepts(decrease: Double, stepSize: Double, slope: Double, at loss: Double) -> Bool {
        decrease >= sufficientDecrease * stepSize * max(0, slope) - tolerance(at: loss)
    }

    struct Outcome {
        /// Nil when nothing was accepted.
        var accepted: (stepSize: Double, loss: Double)?
        var backtracks = 0
    }

    /// Tries step sizes from `first` on with all of `units` displaced by the same one.
    ///
    /// Leaves the weights where the accepted trial put them, or as they were before.
    func backtrack(
        from first: Double, units: [Int], in descent: Descent,
        accepting accepts: (_ decrease: Double, _ stepSize: Double) -> Bool
    ) throws -> Outcome {
        let trials = descent.trials
        var outcome = Outcome()
        var stepSize = first
        while outcome.backtracks < maximumTrials {
            trials.displace(units, by: Array(repeating: stepSize, count: trials.unitCount))
            let loss = try trials.loss()
            // A loss that is not a number fails every comparison.
            if accepts(descent.loss - loss, stepSize) {
                outcome.accepted = (stepSize, loss)
                return outcome
            }
            outcome.backtracks += 1
            stepSize *= backtrack
        }
        trials.restore(units)
        return outcome
    }
}
