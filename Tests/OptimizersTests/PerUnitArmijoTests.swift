import Foundation
import Tensors
import Testing

@testable import Optimizers

@Suite struct PerUnitArmijoTests {
    private func network(_ blocks: Int) -> ParameterLayout {
        var layout = ParameterLayout()
        layout.append("words", [3, 2], role: .embedding, unit: .embeddings)
        for block in 0..<blocks { layout.append("block\(block)", [2, 2], role: .weight, unit: .block(block)) }
        layout.append("pooler", [2, 2], role: .weight, unit: .head)
        layout.append("head", [2], role: .weight, unit: .head)
        return layout
    }

    private func sizes(_ blocks: Int, _ partition: UnitPartition) -> [Int] {
        partition.units(of: network(blocks).entries.map(\.unit)).map(\.count)
    }

    @Test("At most ten units, the head and the embeddings by themselves, blocks shared out evenly")
    func units() {
        #expect(sizes(0, .automatic) == [1, 1])
        #expect(sizes(1, .automatic) == [1, 1, 1])
        #expect(sizes(2, .automatic) == [1, 1, 1, 1])
        #expect(sizes(6, .automatic) == [1, 1, 1, 1, 1, 1, 1, 1])
        #expect(sizes(8, .automatic) == Array(repeating: 1, count: 10))
        #expect(sizes(12, .automatic) == [1, 2, 2, 2, 2, 1, 1, 1, 1, 1])
        #expect(sizes(24, .automatic) == [1, 3, 3, 3, 3, 3, 3, 3, 3, 1])
        #expect(sizes(24, .perBlock) == Array(repeating: 1, count: 26))
        #expect(sizes(12, .whole) == [14] && sizes(12, .count(1)) == [14])
        #expect(sizes(12, .count(2)) == [13, 1] && sizes(12, .count(3)) == [1, 12, 1])
        #expect(sizes(2, .count(100)) == [1, 1, 1, 1])
        let twelve = UnitPartition.automatic.units(of: network(12).entries.map(\.unit))
        #expect(twelve.first == [.embeddings] && twelve.last == [.head] && twelve[1] == [.block(0), .block(1)])
        #expect(UnitPartition.automatic.units(of: [.block(3), .block(1), .head, .block(2)]).map(\.count) == [1, 1, 1, 1])
    }

    /// Three units with curvatures of their own: a separable function.
    private func optimizer(
        _ layout: ParameterLayout, order: UnitOrder = .cyclic, joint: Int = 0, threshold: Double = 0, start: Double = 8,
        c: Double = 0.1, trials: Int = 100, whole: WholeMove = .measure, seed: UInt64 = 0
    ) throws -> Optimizer {
        try Optimizer(
            [ScaleByRootMeanSquare()],
            search: PerUnitArmijo(
                ArmijoRule(
                    sufficientDecrease: c, initialStep: start, growth: 1, growthPeriod: 10, maximumTrials: trials),
                order: order, jointSteps: joint, mergeThreshold: threshold, wholeMove: whole, seed: seed), layout: layout)
    }

    /// The curvature alone says which η is accepted, so that each stays in one region while the weights are numbers.
    @Test("Step sizes that hold undo by backtracks what all of them have grown", arguments: UnitOrder.allCases)
    func steadyBacktracks(_ order: UnitOrder) throws {
        let layout = network(1), steps = 200
        let search = PerUnitArmijo(
            ArmijoRule(initialStep: 1.7, growth: 2, growthPeriod: 16, toleranceUnits: 0), order: order, jointSteps: 0)
        let objective = Bowl(layout, curvatures: [1, 1, 1, 1], weights: 1e15)
        let optimizer = try Optimizer([], search: search, layout: layout)
        var passes = 0.0
        for _ in 0..<steps {
            let trials = try #require(try optimizer.step(objective).trials)
            passes += Double(trials.forwardPasses)
        }
        let together = PerUnitArmijo(ArmijoRule(growthPeriod: 16), order: order, wholeMove: .search).expectedTrials(units: 3)
        #expect(together?.steady == nil && together?.afterMove == 1)
        let expected = try #require(search.expectedTrials(units: 3)), steady = try #require(expected.steady) + expected.afterMove
        #expect(abs(passes / Double(steps) - steady) < 0.1 * steady, "\(passes / Double(steps)) and \(steady)")
        #expect(search.expectedTrials(units: nil)?.steady == nil)
    }

    @Test("On a separable function a unit's search finds what ADAMSLS finds on that unit alone", arguments: 0..<3)
    func separable(_ unit: Int) throws {
        let layout = network(1)
        let curvatures = [1.0, 5, 0.2, 0.2]
        let weights: [Float] = [1, 0.3, 2, 2]
        func bowl(_ frozen: Set<ParameterUnit>) -> Bowl {
            let bowl = Bowl(layout, curvatures: curvatures)
            for (entry, weight) in zip(layout.entries, weights) { bowl.parameters[entry].update(repeating: weight) }
            return bowl
        }
        let parts: [ParameterUnit] = [.embeddings, .block(0), .head]
        let alone = try Optimizer(
            [ScaleByRootMeanSquare()],
            search: BacktrackingArmijo(ArmijoRule(initialStep: 8, growth: 1, growthPeriod: 10)), layout: layout,
            rates: UnitRates(frozen: Set(parts).subtracting([parts[unit]])))
        let expected = try alone.step(bowl([]))
        let optimizer = try optimizer(layout, order: .all)
        let report = try optimizer.step(bowl([]))
        #expect(report.trials?.stepSizes[unit] == expected.learningRate)
        #expect(expected.trials?.backtracks ?? 0 > 0)
        // The cycle reaches each unit in turn.
        let cyclic = try self.optimizer(layout)
        let objective = bowl([])
        for step in 0..<3 {
            for (entry, weight) in zip(layout.entries, weights) { objective.parameters[entry].update(repeating: weight) }
            let trials = try #require(try cyclic.step(objective).trials)
            #expect(trials.unit == step)
            // Adam's preconditioner is the same in every step on a constant gradient.
            if step == unit { #expect(abs(trials.stepSizes[unit] / expected.learningRate - 1) < 1e-9) }
        }
    }

    @Test("Only the searched unit is displaced in its trials; then all move and the loss is measured")
    func displaced() throws {
        let layout = network(1)
        let objective = Bowl(layout, curvatures: [1, 5, 0.2, 0.2])
        let optimizer = try optimizer(layout)
        for step in 0..<6 {
            let before = objective.parameters.copy()
            let first = objective.tried.count
            let report = try #require(try optimizer.step(objective).trials)
            let unit = try #require(report.unit)
            #expect(unit == step % 3)
            let tried = objective.tried[first...]
            #expect(report.forwardPasses == tried.count && report.backtracks == tried.count - 2)
            let parts: [ParameterUnit] = [.embeddings, .block(0), .head]
            for trial in tried.dropLast() {
                for entry in layout.entries {
                    let same = entry.range.allSatisfy { trial[$0] == before.pointer[$0].bitPattern }
                    #expect(same == (entry.unit != parts[unit]))
                }
            }
            // The whole move holds the accepted trial of its unit.
            let whole = tried[tried.endIndex - 1]
            let accepted = tried[tried.endIndex - 2]
            #expect(objective.parameters.bits == whole)
            for entry in layout.entries where entry.unit == parts[unit] {
                #expect(entry.range.allSatisfy { whole[$0] == accepted[$0] })
            }
            #expect(report.lossAfter != nil && report.decrease != nil)
        }
    }

    @Test("An increase by units that move untried is reported and counted")
    func increase() throws {
        let layout = network(1)
        let objective = Bowl(layout, curvatures: [1, 5, 0.2, 0.2])
        let optimizer = try optimizer(layout)
        let report = try optimizer.step(objective)
        let trials = try #require(report.trials)
        #expect(trials.isIncrease && trials.lossAfter! > report.loss && trials.decrease! > 0)
        #expect(optimizer.state.scalars.contains(StateScalar(name: "search.increases", value: .integer(1))))
    }

    @Test("A whole move that is searched shrinks all step sizes alike until its own condition holds, and is what is applied", arguments: UnitOrder.allCases)
    func wholeMove(_ order: UnitOrder) throws {
        let layout = network(1)
        let objective = Bowl(layout, curvatures: [1, 5, 0.2, 0.2])
        let optimizer = try optimizer(layout, order: order, whole: .search)
        var shrunk = 0
        for _ in 0..<9 {
            let before = objective.parameters.copy(), first = objective.tried.count
            let step = try optimizer.step(objective), report = try #require(step.trials)
            let tried = objective.tried[first...]
            let moves = tried.filter { bits in layout.entries.allSatisfy { entry in entry.range.contains { bits[$0] != before.pointer[$0].bitPattern } } }
            shrunk += moves.count - 1
            #expect(objective.parameters.bits == tried.last && report.forwardPasses == tried.count)
            #expect(report.decrease == step.loss - report.lossAfter! && !report.isIncrease)
            // The slope of a unit along Adam's first direction is that of its gradient's size: here the fall is compared with the sum over all.
            var predicted = 0.0
            for entry in layout.entries {
                let curvature = [1, 5, 0.2, 0.2][layout.entries.firstIndex { $0.name == entry.name }!]
                for index in entry.range {
                    predicted += Double(before.pointer[index] - objective.parameters.pointer[index]) * curvature * Double(before.pointer[index])
                }
            }
            #expect(report.decrease! >= 0.1 * predicted - 1e-5 * step.loss && predicted > 0)
            let whole = step.tried.map(\.stepSizes).filter { sizes in sizes.allSatisfy { $0 > 0 } }
            for (longer, shorter) in zip(whole, whole.dropFirst()) { #expect(zip(longer, shorter).allSatisfy { $0 * 0.9 == $1 }) }
            #expect(whole.count == moves.count && whole.last == report.stepSizes && (Set(report.stepSizes).count > 1 || order == .all))
        }
        // On a separable function units that were all tried are not too long together.
        #expect((shrunk > 0) == (order != .all))
    }

    @Test("Where no whole move is accepted the step is skipped and every η shrinks")
    func rejectedMove() throws {
        let layout = network(1)
        let objective = Bowl(layout, curvatures: [1, 5, 0.2, 0.2])
        let optimizer = try optimizer(layout, start: 0.1, trials: 3, whole: .search)
        let before = objective.parameters.bits
        objective.beforeTrial = { trial in
            if trial > 1 { objective.parameters["head"][0] = .infinity }
        }
        let step = try optimizer.step(objective), report = try #require(step.trials)
        #expect(report.isRejected && step.learningRate == 0 && report.decrease == nil && report.lossAfter == nil)
        #expect(report.forwardPasses == 4 && report.backtracks == 3 && objective.parameters.bits == before)
        #expect(report.stepSizes.allSatisfy { abs($0 - 0.1 * pow(0.9, 10)) < 1e-12 })
    }

    @Test("Where the whole move gives no number, only the searched unit moves")
    func notFinite() throws {
        let layout = network(1)
        let objective = Bowl(layout, curvatures: [1, 5, 0.2, 0.2])
        let optimizer = try optimizer(layout, start: 0.1)
        objective.beforeTrial = { trial in
            if trial == 2 { objective.parameters["head"][0] = .infinity }
        }
        let report = try #require(try optimizer.step(objective).trials)
        #expect(report.isIncrease && report.lossAfter == nil)
        #expect(objective.parameters["block0"].allSatisfy { $0 == 1 } && objective.parameters["head"].allSatisfy { $0 == 1 })
        #expect(objective.parameters["words"].allSatisfy { $0 != 1 })
        #expect(report.stepSizes[0] == 0.1 && abs(report.stepSizes[1] - 0.1 * pow(0.9, 10)) < 1e-12)
    }

    @Test("A rejected unit leaves the whole network and shrinks only its own η")
    func rejection() throws {
        let layout = network(1)
        let objective = Bowl(layout, curvatures: [1, 5, 0.2, 0.2])
        let optimizer = try optimizer(layout, trials: 1)
        let before = objective.parameters.bits
        let report = try optimizer.step(objective)
        #expect(report.trials?.isRejected == true && report.learningRate == 0)
        #expect(objective.parameters.bits == before)
        let sizes = try #require(report.trials?.stepSizes)
        #expect(abs(sizes[0] - 8 * pow(0.9, 10)) < 1e-12 && sizes[1] == 8 && sizes[2] == 8)
    }

    @Test("Joint steps come first and are those of ADAMSLS, bit for bit")
    func joint() throws {
        let layout = network(2)
        let curvatures = [1.0, 3, 5, 0.2, 0.2]
        let objective = Bowl(layout, curvatures: curvatures)
        let optimizer = try optimizer(layout, joint: 3)
        let plain = Bowl(layout, curvatures: curvatures)
        let reference = try Optimizer(
            [ScaleByRootMeanSquare()],
            search: BacktrackingArmijo(ArmijoRule(initialStep: 8, growth: 1, growthPeriod: 10)), layout: layout)
        for step in 0..<4 {
            let ours = try optimizer.step(objective)
            let theirs = try reference.step(plain)
            #expect((ours.trials?.unit == nil) == (step < 3))
            #expect((ours.learningRate == theirs.learningRate && objective.parameters.bits == plain.parameters.bits) == (step < 3))
        }
    }

    @Test("Below the threshold the smallest η joins the next smallest, one merge a step")
    func merging() {
        var groups = UnitGroups(groupOfUnit: [0, 1, 2], stepSizes: [1e-13, 1e-3, 1e-2])
        let merged = groups.merge(below: 1e-12)
        #expect(merged?.kept == 0 && merged?.gone == 1)
        #expect(groups.names == [0, 2] && groups.units(of: 0) == [0, 1])
        let mean = (1e-13 + 1e-3) / 2
        #expect(groups.stepSizes == [mean, mean, 1e-2])
        #expect(groups.merge(below: 1e-12) == nil && groups.merge(below: 0) == nil)
        #expect(groups.next(after: -1) == 0 && groups.next(after: 0) == 2 && groups.next(after: 2) == 0)
        #expect(groups.merge(below: 1)?.kept == 0)
        #expect(groups.names == [0] && groups.merge(below: 1) == nil)
    }

    @Test("Merged units are searched and moved as one")
    func mergedSearch() throws {
        let layout = network(1)
        let objective = Bowl(layout, curvatures: [1, 5, 0.2, 0.2])
        let optimizer = try optimizer(layout, threshold: 1e9)
        let merges = [try optimizer.step(objective), try optimizer.step(objective)].map { $0.trials?.merge }
        #expect(optimizer.state.scalars.contains(StateScalar(name: "search.merges", value: .integer(2))))
        #expect(merges.allSatisfy { $0 != nil } && Set(merges.map(\.?.gone)) == [1, 2] && merges[1]?.kept == 0, "\(merges)")
        let report = try optimizer.step(objective)
        #expect(report.trials?.merge == nil)
        #expect(report.trials?.unit == 0 && report.trials?.lossAfter == nil)
        #expect(Set(try #require(report.trials).stepSizes).count == 1)
        let bits = objective.parameters.bits
        #expect(objective.tried.last == bits)
    }

    @Test("The random order follows past decrease, seed and step")
    func random() throws {
        #expect(UnitOrder.probabilities(decreases: [-1, -1]) == [0.5, 0.5])
        #expect(UnitOrder.probabilities(decreases: [0, 0, 0, 0]) == [0.25, 0.25, 0.25, 0.25])
        let weighted = UnitOrder.probabilities(decreases: [3, -1, 0])
        #expect(zip(weighted, [0.45 + 0.1 / 3, 0.45 + 0.1 / 3, 0.1 / 3]).allSatisfy { abs($0 - $1) < 1e-12 })
        var drawn = [0, 0, 0]
        for step in 0..<4_000 { drawn[UnitOrder.draw([0.6, 0.3, 0.1], seed: 1, step: step)] += 1 }
        #expect(abs(drawn[0] - 2_400) < 120 && abs(drawn[1] - 1_200) < 120)
        func order(_ seed: UInt64) throws -> [Int?] {
            let layout = network(3)
            let objective = Bowl(layout, curvatures: [1, 5, 0.2, 3, 2, 1])
            let optimizer = try optimizer(layout, order: .random, start: 0.1, seed: seed)
            return try (0..<12).map { _ in try optimizer.step(objective).trials?.unit }
        }
        #expect(try order(1) == order(1))
        #expect(try order(1) != order(2))
    }

    @Test(
        "Every order resumes where it was and does not depend on threads, merges included",
        arguments: UnitOrder.allCases)
    func resumed(_ order: UnitOrder) throws {
        func make(
            _ layout: ParameterLayout = ToyLayouts.network, _ parallel: @escaping Parallel = serially
        ) throws -> Optimizer {
            try CatalogueRow.plasls.resolve([
                "unit_order": .text(order.rawValue), "joint_steps": 2, "merge_threshold": 0.12, "growth_period": 20,
            ]).makeOptimizer(layout: layout, steps: 20, seed: 9, parallel: parallel)
        }
        let layout = ToyLayouts.network
        let whole = Parabola(layout)
        let reference = try make()
        let reports = try (0..<16).map { _ in try reference.step(whole) }
        #expect(reference.state.scalars.contains { $0.name == "search.merges" && $0.value != .integer(0) })
        let threads = RealThreads(3)
        let pair = [Parabola(ToyLayouts.large), Parabola(ToyLayouts.large)]
        let alone = try make(ToyLayouts.large)
        let threaded = try make(ToyLayouts.large, threads.run)
        for _ in 0..<4 { #expect(try alone.step(pair[0]) == threaded.step(pair[1])) }
        #expect(pair[0].parameters.bits == pair[1].parameters.bits && threads.work.allSatisfy { $0 > 0 })
        for cut in [1, 3, 8] {
            let before = Parabola(layout)
            let first = try make()
            for _ in 0..<cut { _ = try first.step(before) }
            let after = Parabola(layout)
            after.parameters.assign(from: before.parameters)
            let second = try make()
            try second.restore(from: first.state)
            for step in cut..<16 { #expect(try second.step(after) == reports[step]) }
            #expect(after.parameters.bits == whole.parameters.bits)
        }
    }
}
