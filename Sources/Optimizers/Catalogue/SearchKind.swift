/// How an optimizer finds its step size, by the names that recipes use.
public enum SearchKind: String, Hashable, Sendable, CaseIterable {
    /// The learning rate times a schedule.
    case schedule
    /// `BacktrackingArmijo`.
    case armijo
    /// `PerUnitArmijo`.
    case perUnitArmijo = "per_unit_armijo"
    /// `SmoothedArmijo`.
    case smoothedArmijo = "smoothed_armijo"

    /// The keys of the kind beside those of the direction.
    var keys: [RecipeKey] {
        switch self {
        case .schedule: []
        case .armijo: RecipeKey.armijo()
        case .perUnitArmijo: RecipeKey.armijo() + RecipeKey.perUnit
        case .smoothedArmijo: RecipeKey.armijo() + RecipeKey.smoothed(smoothing: 0.9, longestInterval: 10)
        }
    }
}

extension RecipeConstants {
    /// Steps over which a search's step size grows once.
    private func growthPeriod(epochSteps: Int) -> Int {
        switch values["growth_period"] {
        case .integer(let steps): steps
        default: max(1, epochSteps)
        }
    }

    private func count(_ name: String) -> Int {
        guard case .integer(let value) = values[name] else { preconditionFailure("\(name) is not a count key") }
        return value
    }

    private func armijoRule(epochSteps: Int) -> ArmijoRule {
        ArmijoRule(
            sufficientDecrease: self["armijo_c"], backtrack: self["backtrack"], initialStep: self["initial_step"],
            growth: self["growth"], growthPeriod: growthPeriod(epochSteps: epochSteps), maximumStep: self["max_step"],
            maximumTrials: count("max_trials"), rejectionShrink: self["rejection_shrink"],
            toleranceUnits: self["search_tolerance"], momentumAfterAcceptance: flag("momentum_after_acceptance"))
    }

    /// The search of a kind that tries steps.
    func search(_ kind: SearchKind, epochSteps: Int, seed: UInt64) -> any LineSearch {
        let rule = armijoRule(epochSteps: epochSteps)
        switch kind {
        case .schedule: preconditionFailure("a schedule tries no steps")
        case .armijo: return BacktrackingArmijo(rule)
        case .perUnitArmijo:
            guard let order = values["unit_order"]?.text.flatMap(UnitOrder.init(rawValue:)),
                let wholeMove = values["whole_move"]?.text.flatMap(WholeMove.init(rawValue:))
            else { preconditionFailure("unit_order and whole_move are resolved") }
            let units: UnitPartition =
                switch values["units"] {
                case .integer(let count): .count(count)
                case "blocks": .perBlock
                default: .automatic
                }
            return PerUnitArmijo(
                rule, units: units, order: order, jointSteps: count("joint_steps"),
                mergeThreshold: self["merge_threshold"], wholeMove: wholeMove, seed: order == .random ? seed : 0)
        case .smoothedArmijo:
            guard let betas = values["interval_betas"]?.list?.compactMap(\.number), betas.count == 2 else {
                preconditionFailure("interval_betas is resolved")
            }
            return SmoothedArmijo(
                rule, smoothing: self["search_smoothing"],
                frequency: SearchFrequency(
                    longest: count("max_search_interval"), always: count("always_search_steps"), fast: betas[0],
                    slow: betas[1]))
        }
    }
}
