/// Armijo's rule with one step size for the whole network: SGDSLS and ADAMSLS, by the direction that it is given.
///
/// An accepted step lowers this mini-batch's loss (up to the tolerance). The step that is applied is the accepted trial,
/// bit for bit, then decoupled weight decay.
///
/// Source: Vaswani et al., arXiv 1905.09997 and 2006.06835; for transformers Kenneweg et al., arXiv 2403.18506.
public struct BacktrackingArmijo: LineSearch {
    public static let name = "armijo"

    public let rule: ArmijoRule

    public init(_ rule: ArmijoRule) { self.rule = rule }

    public var hyperparameters: [(key: String, value: HyperparameterValue)] { rule.hyperparameters }

    public var formula: [String] { rule.formula(accepting: ArmijoRule.condition, displacing: "w + η·d") }

    public func expectedTrials(units: Int?) -> ExpectedTrials? { ExpectedTrials(backtracks: rule.steadyBacktracks) }

    public var partition: UnitPartition? { .whole }

    public var scalars: [StateScalar] {
        [SearchMemory.real("step_size", rule.initialStep)] + SearchMemory.counters
    }

    public func advance(_ descent: Descent, scalars: inout [StateScalar]) throws -> SearchReport {
        var memory = SearchMemory(scalars)
        let trials = descent.trials
        trials.begin(testing: rule.tested)
        var report = TrialReport()
        report.isFallback = trials.fallBack(whereAscending: [0])
        report.slope = trials.slope(of: [0])

        let before = memory[real: "step_size"]
        let outcome = try rule.backtrack(from: rule.grown(before), units: [0], in: descent) { decrease, stepSize in
            rule.accepts(decrease: decrease, stepSize: stepSize, slope: report.slope, at: descent.loss)
        }
        trials.finish([outcome.accepted?.stepSize ?? 0])

        let next = outcome.accepted?.stepSize ?? rule.shrunk(before)
        memory[real: "step_size"] = next
        report.stepSizes = [next]
        report.forwardPasses = trials.forwardPasses
        report.backtracks = outcome.backtracks
        report.decrease = outcome.accepted.map { descent.loss - $0.loss }
        report.isRejected = outcome.accepted == nil
        memory.add(report)
        scalars = memory.scalars
        return SearchReport(learningRate: outcome.accepted?.stepSize ?? 0, trials: report)
    }
}
