import Foundation
import Testing

@testable import Optimizers

@Suite struct SearchGoldenTests {
    private func near(_ a: Double, _ b: Double, _ error: Double) -> Bool { abs(a - b) <= error * max(abs(b), 1) }

    @Test("50 steps take the decisions of a float64 reference", arguments: RecordedSearches.recorded.cases.indices)
    func equalsReference(_ index: Int) throws {
        let recorded = RecordedSearches.recorded
        let example = recorded.cases[index]
        let rows = example.rows
        let objective = recorded.network(example)
        let optimizer = try recorded.optimizer(example)
        var after = rows.after[...]
        for step in rows.loss.indices {
            objective.turn = step / recorded.turn
            let report = try optimizer.step(objective)
            let trials = try #require(report.trials)
            let place: Comment = "\(example.name), step \(step)"
            #expect(near(report.loss, rows.loss[step], 2e-5), place)
            #expect(trials.stepSizes.count == rows.stepSizes[step].count, place)
            for (ours, theirs) in zip(trials.stepSizes, rows.stepSizes[step]) {
                #expect(abs(ours / theirs - 1) <= 1e-8, place)
            }
            #expect(near(report.learningRate, rows.rates[step], 1e-8), place)
            #expect(abs(trials.slope - rows.slope[step]) <= 3e-4 * abs(rows.slope[step]) + 1e-5, place)
            #expect((trials.decrease == nil) == (rows.decrease[step] == nil), place)
            if let ours = trials.decrease, let theirs = rows.decrease[step] {
                #expect(near(ours, theirs, 2e-5), place)
            }
            #expect(trials.backtracks == rows.backtracks[step] && trials.forwardPasses == rows.passes[step], place)
            #expect(trials.unit == rows.unit[step], place)
            #expect(trials.isFallback == rows.fallbacks.contains(step), place)
            #expect(trials.isSearched != rows.rests.contains(step), place)
            #expect(trials.isRejected == (rows.rates[step] == 0), place)
            if let loss = trials.lossAfter {
                let theirs = try #require(after.first)
                after.removeFirst()
                #expect(near(loss, theirs, 2e-5), place)
                #expect(trials.isIncrease == (theirs > rows.loss[step]), place)
            }
        }
        #expect(after.isEmpty)
        for (unit, group) in example.groups.enumerated() where example.groups.count > 1 {
            #expect(optimizer.state.scalars.contains(StateScalar(name: "search.group.\(unit)", value: .integer(group))))
        }
        for (ours, theirs) in zip(objective.parameters.elements, example.end) { #expect(abs(Double(ours) - theirs) < 2e-4) }
    }

    @Test("The goldens cover every search of the catalogue, and rejections, fall-backs, rests, increases and merges")
    func coverage() throws {
        let cases = RecordedSearches.recorded.cases
        let searches = try Catalogue.rows.filter { try $0.resolve([:]).searchKind != .schedule }.map(\.name)
        #expect(Set(cases.map(\.optimizer)) == Set(searches))
        #expect(cases.contains { $0.rows.rates.contains(0) })
        #expect(cases.contains { !$0.rows.fallbacks.isEmpty })
        #expect(cases.contains { !$0.rows.rests.isEmpty })
        #expect(cases.contains { !$0.rows.after.isEmpty })
        #expect(cases.contains { Set($0.groups).count < $0.groups.count })
        let whole = cases.filter { $0.name.contains("whole move") }
        #expect(whole.contains { $0.rows.stepSizes.contains { Set($0).count > 2 } } && whole.contains { $0.rows.rates.contains(0) })
        #expect(whole.contains { Set($0.groups).count < $0.groups.count && !$0.rows.fallbacks.isEmpty })
    }
}
