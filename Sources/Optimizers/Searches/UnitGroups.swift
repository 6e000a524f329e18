/// Two groups of units that share a step size from now on, by their first units; the lower one stays the name.
public struct UnitMerge: Sendable, Hashable {
    public let kept: Int
    public let gone: Int
}

/// Units that share a step size: at the start each unit by itself, later those that were merged.
///
/// A group is named by the first of its units.
struct UnitGroups: Hashable {
    /// Name of each unit's group.
    private(set) var groupOfUnit: [Int]
    /// η of each unit, equal within a group.
    var stepSizes: [Double]

    init(groupOfUnit: [Int], stepSizes: [Double]) {
        self.groupOfUnit = groupOfUnit
        self.stepSizes = stepSizes
    }

    /// In the network's order.
    var names: [Int] { groupOfUnit.indices.filter { groupOfUnit[$0] == $0 } }

    func units(of group: Int) -> [Int] { groupOfUnit.indices.filter { groupOfUnit[$0] == group } }

    mutating func set(_ stepSize: Double, of group: Int) {
        for unit in units(of: group) { stepSizes[unit] = stepSize }
    }

    /// The group after one in a cycle; the first after none.
    func next(after last: Int) -> Int { names.first { $0 > last } ?? names[0] }

    /// Joins the group of the smallest η with that of the next smallest when it is below `threshold`; η is their mean.
    ///
    /// - Returns: the two groups, or nil when nothing was merged.
    mutating func merge(below threshold: Double) -> UnitMerge? {
        let order = names.sorted { (stepSizes[$0], $0) < (stepSizes[$1], $1) }
        guard order.count >= 2, stepSizes[order[0]] < threshold else { return nil }
        let mean = (stepSizes[order[0]] + stepSizes[order[1]]) / 2
        let kept = min(order[0], order[1])
        let gone = max(order[0], order[1])
        for unit in units(of: gone) { groupOfUnit[unit] = kept }
        set(mean, of: kept)
        return UnitMerge(kept: kept, gone: gone)
    }
}
