import Models
import Optimizers
import Store

/// The line of a step in a run's log, see `Schemas/log.schema.json`. What a recipe does not have is not in it.
enum StepLine {
    static func json(_ report: StepReport, passes: PassCounts, noise: AdversarialDiagnostics?, epoch: Int, examples: Int) -> JSONValue {
        var line: [String: JSONValue] = [
            "event": "step", "step": .integer(Int64(report.step)), "epoch": .integer(Int64(epoch)), "loss": .number(report.loss),
            "learning_rate": .number(report.learningRate), "gradient_norm": .number(report.gradientNorm),
            "examples": .integer(Int64(examples)), "passes": PassTotals(passes).json,
        ]
        line["noise"] = noise.map(json)
        line["trust_ratio"] = report.trustRatios.map {
            ["min": .number($0.min), "median": .number($0.median), "max": .number($0.max)]
        }
        line["search"] = report.trials.map(json)
        return .object(line)
    }

    private static func json(_ trials: TrialReport) -> JSONValue {
        var members: [String: JSONValue] = [
            "step_sizes": .array(trials.stepSizes.map { .number($0) }), "searched": .bool(trials.isSearched),
            "forward_passes": .integer(Int64(trials.forwardPasses)), "backtracks": .integer(Int64(trials.backtracks)),
            "slope": .number(trials.slope), "rejected": .bool(trials.isRejected), "fallback": .bool(trials.isFallback),
        ]
        members["unit"] = trials.unit.map { .integer(Int64($0)) }
        members["decrease"] = trials.decrease.flatMap { $0.isFinite ? .number($0) : nil }
        members["loss_after"] = trials.lossAfter.flatMap { $0.isFinite ? .number($0) : nil }
        if trials.lossAfter != nil { members["increase"] = .bool(trials.isIncrease) }
        members["merged"] = trials.merge.map { .array([.integer(Int64($0.kept)), .integer(Int64($0.gone))]) }
        return .object(members)
    }

    private static func json(_ noise: AdversarialDiagnostics) -> JSONValue {
        var members: [String: JSONValue] = [
            "examples": .integer(Int64(noise.perturbedExamples)), "mean_norm": .number(noise.meanNorm),
            "surface_share": .number(noise.surfaceShare),
        ]
        members["ascent_gain"] = noise.ascentGain.map { .number($0) }
        members["gap"] = noise.adversarialGap.map { .number($0) }
        return .object(members)
    }
}
