/// Armijo's rule between running means of both of its sides: ALSALS and SaLSA.
///
/// ```
/// h ← β₃h + (1 − β₃)(f(w) − f(w + η·d))        s ← β₃s + (1 − β₃)(−gᵀd)        accept when h ≥ c·η·s − (1 − β₃)·tolerance
/// ```
/// Both means start at 0, so the first search is the plain one. Only the smoothed inequality holds: an accepted step may
/// raise this mini-batch's loss. A step without a search uses min(η_max, γ^(1/p)·η) and does not store it. A search without an
/// accepted trial leaves both means as they were.
///
/// Source: ALSALS, after arXiv 2403.18519; SaLSA, after arXiv 2407.20650 and its authors' code.
public struct SmoothedArmijo: LineSearch {
    public static let name = "smoothed-armijo"

    public let rule: ArmijoRule
    /// β₃.
    public let smoothing: Double
    public let frequency: SearchFrequency

    public init(_ rule: ArmijoRule, smoothing: Double, frequency: SearchFrequency) {
        precondition((0..<1).contains(smoothing))
        self.rule = rule
        self.smoothing = smoothing
        self.frequency = frequency
    }

    public var hyperparameters: [(key: String, value: HyperparameterValue)] {
        rule.hyperparameters + [("search_smoothing", .real(smoothing))] + frequency.hyperparameters
    }

    public var formula: [String] {
        rule.formula(accepting: "h ≥ c·η·s − (1 − β₃)·tolerance", displacing: "w + η·d")
            + [
                "h ← β₃·h + (1 − β₃)·(f(w) − f(w + η·d))        s ← β₃·s + (1 − β₃)·(−gᵀd)        β₃ = \(smoothing), both from 0"
            ] + frequency.formula(resting: "min(\(rule.maximumStep), η·\(rule.growth)^(1/growth_period))")
    }

    public func expectedTrials(units: Int?) -> ExpectedTrials? {
        ExpectedTrials(backtracks: rule.steadyBacktracks, longestInterval: frequency.longest)
    }

    public var partition: UnitPartition? { .whole }

    public var scalars: [StateScalar] {
        [
            SearchMemory.real("step_size", rule.initialStep), SearchMemory.real("smoothed_decrease", 0),
            SearchMemory.real("smoothed_slope", 0),
        ] + SearchFrequency.scalars + SearchMemory.counters
    }

    public func advance(_ descent: Descent, scalars: inout [StateScalar]) throws -> SearchReport {
        var memory = SearchMemory(scalars)
        let trials = descent.trials
        trials.begin(testing: rule.tested)
        var report = TrialReport()
        report.isFallback = trials.fallBack(whereAscending: [0])
        report.slope = trials.slope(of: [0])
        report.isSearched = frequency.isDue(step: descent.step, memory)

        let applied: Double
        if report.isSearched {
            applied = try search(descent, &memory, &report)
        } else {
            applied = rule.grown(memory[real: "step_size"])
            trials.displace([0], by: [applied])
            frequency.rest(&memory)
        }
        trials.finish([applied])
        report.stepSizes = [memory[real: "step_size"]]
        report.forwardPasses = trials.forwardPasses
        memory.add(report)
        scalars = memory.scalars
        return SearchReport(learningRate: applied, trials: report)
    }

    /// Searches and returns the step size that was applied, 0 for none.
    private func search(
        _ descent: Descent, _ memory: inout SearchMemory, _ report: inout TrialReport
    ) throws -> Double {
        let before = memory[real: "step_size"]
        let oldDecrease = memory[real: "smoothed_decrease"]
        let slope = smoothing * memory[real: "smoothed_slope"] + (1 - smoothing) * max(0, report.slope)
        func smoothed(_ decrease: Double) -> Double { smoothing * oldDecrease + (1 - smoothing) * decrease }
        let tolerance = (1 - smoothing) * rule.tolerance(at: descent.loss)
        let outcome = try rule.backtrack(from: rule.grown(before), units: [0], in: descent) { decrease, stepSize in
            smoothed(decrease) >= rule.sufficientDecrease * stepSize * slope - tolerance
        }
        report.backtracks = outcome.backtracks
        report.isRejected = outcome.accepted == nil
        if let accepted = outcome.accepted {
            let decrease = descent.loss - accepted.loss
            report.decrease = decrease
            memory[real: "smoothed_decrease"] = smoothed(decrease)
            memory[real: "smoothed_slope"] = slope
        }
        let next = outcome.accepted?.stepSize ?? rule.shrunk(before)
        memory[real: "step_size"] = next
        frequency.record(next, &memory)
        return outcome.accepted?.stepSize ?? 0
    }
}
