import Tensors

/// Which unit a per-unit search looks at in a step.
public enum UnitOrder: String, Hashable, Sendable, CaseIterable {
    /// One after the other, in the network's order.
    case cyclic
    /// One, drawn with the weight of the decrease that its last search achieved.
    case random
    /// Every unit in every step.
    case all

    var explanation: String {
        switch self {
        case .cyclic: "one unit a step is searched, in a cycle"
        case .random: "one unit a step is searched, drawn by the decrease of its last search"
        case .all: "every unit is searched in every step"
        }
    }

    /// Share of the probability that is spread evenly, so that no unit is forgotten.
    static let evenShare = 0.1
    private static let site: UInt64 = 7 << 32

    /// The probability of each group; a decrease below 0 stands for a group that was never searched.
    ///
    /// p ∝ 0.9·(its decrease)/(sum of all) + 0.1/(number of groups); one that was never searched counts as the best one.
    static func probabilities(decreases: [Double]) -> [Double] {
        let best = decreases.max() ?? 0
        let weights = decreases.map { $0 < 0 ? max(best, 0) : $0 }
        let total = weights.reduce(0, +)
        let even = 1 / Double(decreases.count)
        guard total > 0, total.isFinite else { return decreases.map { _ in even } }
        return weights.map { (1 - evenShare) * $0 / total + evenShare * even }
    }

    /// One of the groups, decided by seed and step alone.
    static func draw(_ probabilities: [Double], seed: UInt64, step: Int) -> Int {
        let key = CounterRNG.key(seed: seed, step: UInt64(step), site: site)
        var rest = CounterRNG.uniform(key: key, index: 0)
        for (index, probability) in probabilities.enumerated() {
            rest -= probability
            if rest < 0 { return index }
        }
        return probabilities.count - 1
    }
}
