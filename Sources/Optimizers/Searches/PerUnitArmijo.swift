/// Armijo's rule with a step size for each unit of the network: PLASLS.
///
/// The first `jointSteps` steps search one step size for all units. From then on a step searches one unit (or each): only
/// that unit is displaced in the trials, and its own slope stands on the right. Then all units move, each with its own η,
/// grown as in every step. The whole move is not tried: its loss is measured afterwards, and increases are counted.
/// Where that loss is not finite, the units that moved untried go back, and their η shrinks as after a rejection.
///
/// With `WholeMove.search` the whole move is tried, too, and all η shrink together until it satisfies the condition with the slopes of all
/// units on the right; where none does, the step is skipped and all η shrink as after a rejection. This is ours.
///
/// The learning rate that is reported is that of the searched unit, or the largest of several.
///
/// A step whose unit finds no step size is skipped as a whole; when every unit is searched, only that unit stays.
///
/// Source: Kenneweg et al., arXiv 2403.18506, and its authors' code.
public struct PerUnitArmijo: LineSearch {
    public static let name = "per-unit-armijo"

    public let rule: ArmijoRule
    public let units: UnitPartition
    public let order: UnitOrder
    public let jointSteps: Int
    /// A unit whose η falls below it joins the one with the next smallest η; 0 never.
    public let mergeThreshold: Double
    public let wholeMove: WholeMove
    /// Of the random order.
    public let seed: UInt64

    public init(
        _ rule: ArmijoRule, units: UnitPartition = .automatic, order: UnitOrder = .cyclic, jointSteps: Int = 6,
        mergeThreshold: Double = 0, wholeMove: WholeMove = .measure, seed: UInt64 = 0
    ) {
        precondition(jointSteps >= 0 && mergeThreshold >= 0)
        precondition(wholeMove == .measure || !rule.momentumAfterAcceptance, "the step that is taken is not that of the trials")
        self.rule = rule
        self.units = units
        self.order = order
        self.jointSteps = jointSteps
        self.mergeThreshold = mergeThreshold
        self.wholeMove = wholeMove
        self.seed = seed
    }

    public var hyperparameters: [(key: String, value: HyperparameterValue)] {
        let units: HyperparameterValue =
            switch units {
            case .whole: 1
            case .count(let count): .integer(count)
            case .perBlock: "blocks"
            }
        return rule.hyperparameters + [
            ("units", units), ("unit_order", .text(order.rawValue)), ("joint_steps", .integer(jointSteps)),
            ("merge_threshold", .real(mergeThreshold)), ("whole_move", .text(wholeMove.rawValue)), ("seed", .text("\(seed)")),
        ]
    }

    public var formula: [String] {
        var lines = rule.formula(accepting: ArmijoRule.condition, displacing: "w + η·d with d of the searched unit alone")
        guard !isWhole else { return lines + ["units: \(UnitPartition.whole.explanation)"] }
        lines.append("units: \(units.explanation); the first \(jointSteps) steps search one η for all")
        let measured = rule.momentumAfterAcceptance ? "" : ", and \(wholeMove.explanation)"
        lines.append("then \(order.explanation); after it all units move, each with its own η\(measured)")
        if mergeThreshold > 0 {
            lines.append("where the smallest η is below \(mergeThreshold) its unit joins that of the next smallest; η is their mean")
        }
        return lines
    }

    public func expectedTrials(units: Int?) -> ExpectedTrials? {
        ExpectedTrials(
            backtracks: rule.steadyBacktracks, units: isWhole ? 1 : units, searchesAll: order == .all,
            triesMove: !rule.momentumAfterAcceptance, shrinksTogether: wholeMove == .search, jointSteps: jointSteps)
    }

    public var partition: UnitPartition? { units }

    /// One unit, whatever the network.
    private var isWhole: Bool { units == .whole || units == .count(1) }

    public func scalars(units count: Int) -> [StateScalar] {
        (0..<count).map { SearchMemory.real("step_size.\($0)", rule.initialStep) }
            + (0..<count).map { SearchMemory.count("group.\($0)", $0) }
            + (0..<count).map { SearchMemory.real("last_decrease.\($0)", -1) }
            + [SearchMemory.count("last_unit", -1), SearchMemory.count("merges"), SearchMemory.count("increases")]
            + SearchMemory.counters
    }

    public func advance(_ descent: Descent, scalars: inout [StateScalar]) throws -> SearchReport {
        var memory = SearchMemory(scalars)
        let count = descent.trials.unitCount
        var groups = UnitGroups(
            groupOfUnit: (0..<count).map { memory[count: "group.\($0)"] },
            stepSizes: (0..<count).map { memory[real: "step_size.\($0)"] })
        descent.trials.begin(testing: rule.tested)
        var report = TrialReport()
        let applied =
            descent.step < jointSteps
            ? try moveJointly(descent, &groups, &report) : try moveByUnits(descent, &groups, &memory, &report)
        descent.trials.finish(applied)

        for unit in 0..<count {
            memory[count: "group.\(unit)"] = groups.groupOfUnit[unit]
            memory[real: "step_size.\(unit)"] = groups.stepSizes[unit]
        }
        report.stepSizes = groups.stepSizes
        report.forwardPasses = descent.trials.forwardPasses
        memory.add(report)
        memory[count: "increases"] += report.isIncrease ? 1 : 0
        scalars = memory.scalars
        return SearchReport(learningRate: report.unit.map { applied[$0] } ?? applied.max()!, trials: report)
    }

    /// All units as one; returns the applied step sizes.
    private func moveJointly(
        _ descent: Descent, _ groups: inout UnitGroups, _ report: inout TrialReport
    ) throws -> [Double] {
        let all = Array(0..<descent.trials.unitCount)
        let before = groups.stepSizes[0]
        let stepSize = try search(all, from: rule.grown(before), descent, &report)
        report.isRejected = stepSize == nil
        groups.stepSizes = all.map { _ in stepSize ?? rule.shrunk(before) }
        return all.map { _ in stepSize ?? 0 }
    }

    /// One unit, or each, on its own; then all together. Returns the applied step sizes.
    private func moveByUnits(
        _ descent: Descent, _ groups: inout UnitGroups, _ memory: inout SearchMemory, _ report: inout TrialReport
    ) throws -> [Double] {
        let trials = descent.trials
        let names = groups.names
        let searched = order == .all ? names : [next(groups, memory, step: descent.step)]
        report.unit = searched.count == 1 ? searched[0] : nil
        let before = groups
        groups.stepSizes = before.stepSizes.map(rule.grown)
        var applied = groups.stepSizes
        var rejected = 0
        for group in searched {
            let units = groups.units(of: group)
            let stepSize = try search(units, from: groups.stepSizes[group], descent, &report)
            groups.set(stepSize ?? rule.shrunk(before.stepSizes[group]), of: group)
            for unit in units { applied[unit] = stepSize ?? 0 }
            rejected += stepSize == nil ? 1 : 0
            memory[real: "last_decrease.\(group)"] = max(0, report.decrease ?? 0)
            memory[count: "last_unit"] = group
            // The next unit is searched from the weights before the step.
            if searched.count > 1 { trials.restore(units) }
        }
        if rejected == searched.count {
            report.isRejected = true
            report.decrease = nil
            for unit in applied.indices where !searched.contains(groups.groupOfUnit[unit]) {
                groups.stepSizes[unit] = before.stepSizes[unit]
            }
            applied = applied.map { _ in 0 }
        } else if names.count > 1 {
            if wholeMove == .search {
                try moveTogether(descent, before: before, &groups, &applied, &report)
            } else {
                try moveUntested(descent, searched: searched, before: before, &groups, &applied, &report)
            }
        }
        if let merged = groups.merge(below: mergeThreshold) {
            report.merge = merged
            memory[count: "merges"] += 1
            let decreases = (memory[real: "last_decrease.\(merged.kept)"], memory[real: "last_decrease.\(merged.gone)"])
            memory[real: "last_decrease.\(merged.kept)"] = max(decreases.0, decreases.1)
        }
        return applied
    }

    /// Moves all units, their step sizes shrunk together until the move as a whole satisfies the condition.
    private func moveTogether(
        _ descent: Descent, before: UnitGroups, _ groups: inout UnitGroups, _ applied: inout [Double], _ report: inout TrialReport
    ) throws {
        let trials = descent.trials, all = Array(0..<trials.unitCount)
        for group in groups.names where trials.fallBack(whereAscending: groups.units(of: group)) { report.isFallback = true }
        // A group has one η, and its units descend together.
        let slopes = groups.names.map { (unit: $0, slope: max(0, trials.slope(of: groups.units(of: $0)))) }
        for backtracks in 0..<rule.maximumTrials {
            trials.displace(all, by: applied)
            let loss = try trials.loss(), decrease = descent.loss - loss
            // A unit whose own search found nothing stays: its η is 0 and so is its part of the slope.
            let predicted = slopes.reduce(0) { $0 + applied[$1.unit] * $1.slope }
            if rule.accepts(decrease: decrease, stepSize: 1, slope: predicted, at: descent.loss) {
                report.decrease = decrease
                report.lossAfter = loss
                report.isIncrease = loss > descent.loss
                report.backtracks += backtracks
                return
            }
            for unit in all {
                applied[unit] *= rule.backtrack
                if applied[unit] > 0 { groups.stepSizes[unit] = applied[unit] }
            }
        }
        report.backtracks += rule.maximumTrials
        report.isRejected = true
        report.decrease = nil
        trials.restore(all)
        applied = applied.map { _ in 0 }
        groups.stepSizes = before.stepSizes.map(rule.shrunk)
    }

    /// Moves the units that have not moved yet and measures the loss, where the weights stay on the line that was tried.
    private func moveUntested(
        _ descent: Descent, searched: [Int], before: UnitGroups, _ groups: inout UnitGroups, _ applied: inout [Double],
        _ report: inout TrialReport
    ) throws {
        let trials = descent.trials
        let isAlone = searched.count == 1
        let others = applied.indices.filter { !isAlone || groups.groupOfUnit[$0] != searched[0] }
        if isAlone {
            for group in groups.names where group != searched[0] {
                if trials.fallBack(whereAscending: groups.units(of: group)) { report.isFallback = true }
            }
        }
        // The step that will be taken goes along another direction: a loss along this one would be of no place where the weights will be.
        guard !rule.momentumAfterAcceptance else {
            if !isAlone { report.decrease = nil }
            return
        }
        trials.displace(others, by: applied)
        let loss = try trials.loss()
        report.lossAfter = loss
        report.isIncrease = !(loss <= descent.loss)
        if !isAlone { report.decrease = descent.loss - loss }
        guard !loss.isFinite else { return }
        trials.restore(others)
        for unit in others {
            applied[unit] = 0
            groups.stepSizes[unit] = rule.shrunk(before.stepSizes[unit])
        }
        report.lossAfter = nil
        if !isAlone {
            report.decrease = nil
            report.isRejected = true
        }
    }

    /// Searches one step size for `units`, the only ones displaced.
    private func search(
        _ units: [Int], from first: Double, _ descent: Descent, _ report: inout TrialReport
    ) throws -> Double? {
        let trials = descent.trials
        if trials.fallBack(whereAscending: units) { report.isFallback = true }
        let slope = trials.slope(of: units)
        report.slope += slope
        let outcome = try rule.backtrack(from: first, units: units, in: descent) { decrease, stepSize in
            rule.accepts(decrease: decrease, stepSize: stepSize, slope: slope, at: descent.loss)
        }
        report.backtracks += outcome.backtracks
        report.decrease = outcome.accepted.map { descent.loss - $0.loss }
        return outcome.accepted?.stepSize
    }

    private func next(_ groups: UnitGroups, _ memory: SearchMemory, step: Int) -> Int {
        guard order == .random else { return groups.next(after: memory[count: "last_unit"]) }
        let names = groups.names
        let probabilities = UnitOrder.probabilities(decreases: names.map { memory[real: "last_decrease.\($0)"] })
        return names[UnitOrder.draw(probabilities, seed: seed, step: step)]
    }
}
