import Tensors
import Testing

@testable import Optimizers

/// What every optimizer of the catalogue has to do. A new row needs a budget here, and gets all the rest.
@Suite struct CatalogueContractTests {
    struct Budget {
        let parabola: (rate: HyperparameterValue, steps: Int, loss: Double)
        let rosenbrock: (rate: HyperparameterValue, steps: Int, loss: Double)
        /// Keys that Rosenbrock's function needs.
        var coupled: [String: HyperparameterValue] = [:]
    }

    static let budgets: [String: Budget] = [
        "adamw": Budget(parabola: (0.3, 400, 1e-9), rosenbrock: (0.5, 2_000, 1e-9)),
        "adam": Budget(parabola: (0.3, 400, 1e-9), rosenbrock: (0.5, 2_000, 1e-9)),
        "sgd": Budget(parabola: (0.1, 300, 1e-9), rosenbrock: (2e-3, 4_000, 1e-9)),
        "lamb": Budget(parabola: (0.1, 3_000, 1e-9), rosenbrock: (0.5, 2_000, 1e-9)),
        "lars": Budget(parabola: (30, 2_000, 1e-9), rosenbrock: (2, 4_000, 1e-9)),
        // The rate of a search is its first step size.
        "sgdsls": Budget(parabola: (0.1, 100, 1e-9), rosenbrock: (0.1, 20_000, 1e-9)),
        "adamsls": Budget(parabola: (0.1, 400, 1e-9), rosenbrock: (0.1, 10_000, 1e-9)),
        // Its two variables are units of their own and move at once, which only a careful condition stands.
        "plasls": Budget(
            parabola: (0.1, 400, 1e-9), rosenbrock: (0.1, 10_000, 1e-9), coupled: ["armijo_c": 0.5]),
        "alsals": Budget(parabola: (0.1, 400, 1e-9), rosenbrock: (0.1, 4_000, 1e-9)),
        "salsa": Budget(parabola: (1, 1_000, 1e-9), rosenbrock: (1, 20_000, 1e-9)),
    ]

    @Test("Every row has a budget")
    func budgetsExist() { #expect(Set(Self.budgets.keys) == Set(Catalogue.names)) }

    private func optimizer(
        _ name: String, _ layout: ParameterLayout, rate: HyperparameterValue = 0.05, steps: Int,
        unclipped: Bool = false, extra: [String: HyperparameterValue] = [:],
        parallel: @escaping Parallel = serially
    ) throws -> Optimizer {
        let wanted: [String: HyperparameterValue] =
            ["learning_rate": rate, "warmup": 0.1, "schedule": "cosine", "initial_step": rate]
            .merging(unclipped ? ["max_grad_norm": 0, "weight_decay": 0] : [:]) { $1 }
        let values = try Self.known(wanted, by: name).merging(extra) { $1 }
        return try Catalogue.row(named: name).resolve(values)
            .makeOptimizer(layout: layout, steps: steps, parallel: parallel)
    }

    /// Those of the values that the optimizer has keys for.
    private static func known(
        _ values: [String: HyperparameterValue], by name: String
    ) throws -> [String: HyperparameterValue] {
        let keys = try Set(Catalogue.row(named: name).keys.map(\.name))
        return values.filter { keys.contains($0.key) }
    }

    @Test("Reaches the minimum of a parabola", arguments: Catalogue.names)
    func parabola(_ name: String) throws {
        let budget = try #require(Self.budgets[name]).parabola
        let objective = Parabola(ToyLayouts.network)
        let optimizer = try optimizer(
            name, ToyLayouts.network, rate: budget.rate, steps: budget.steps, unclipped: true)
        for _ in 0..<budget.steps { _ = try optimizer.step(objective) }
        let loss = try objective.loss()
        #expect(loss <= budget.loss, "\(loss)")
    }

    @Test("Reaches the minimum of Rosenbrock's function", arguments: Catalogue.names)
    func rosenbrock(_ name: String) throws {
        let row = try #require(Self.budgets[name])
        let budget = row.rosenbrock
        let objective = Rosenbrock()
        let optimizer = try optimizer(
            name, Rosenbrock.layout, rate: budget.rate, steps: budget.steps, unclipped: true, extra: row.coupled)
        for _ in 0..<budget.steps { _ = try optimizer.step(objective) }
        let loss = try objective.loss()
        #expect(loss <= budget.loss, "\(loss)")
    }

    @Test("The same run twice gives the same bits", arguments: Catalogue.names)
    func deterministic(_ name: String) throws {
        #expect(try run(name, steps: 12).bits == run(name, steps: 12).bits)
    }

    @Test("Any number of real threads gives the same bits", arguments: Catalogue.names)
    func threads(_ name: String) throws {
        let alone = try run(name, steps: 3)
        for count in [2, 3] {
            let threads = RealThreads(count)
            #expect(try run(name, steps: 3, parallel: threads.run).bits == alone.bits, "\(count) threads")
            #expect(threads.work.allSatisfy { $0 > 0 }, "every thread has work")
        }
    }

    @Test("A run resumed from its saved state is the uninterrupted run, bit for bit", arguments: Catalogue.names)
    func resumed(_ name: String) throws {
        let layout = ToyLayouts.network
        let whole = Parabola(layout)
        let reference = try optimizer(name, layout, steps: 12)
        var reports: [StepReport] = []
        for _ in 0..<12 { reports.append(try reference.step(whole)) }
        for cut in [0, 1, 5, 11] {
            let before = Parabola(layout)
            let first = try optimizer(name, layout, steps: 12)
            for _ in 0..<cut { _ = try first.step(before) }
            let saved = first.state.copy()
            let weights = before.parameters.copy()
            // Steps after the snapshot must not reach it.
            _ = try first.step(before)

            let after = Parabola(layout)
            after.parameters.assign(from: weights)
            let second = try optimizer(name, layout, steps: 12)
            try second.restore(from: saved)
            for step in cut..<12 { #expect(try second.step(after) == reports[step]) }
            #expect(after.parameters.bits == whole.parameters.bits, "cut at \(cut)")
            for (ours, theirs) in zip(second.state.moments, reference.state.moments) {
                #expect(ours.values.bits == theirs.values.bits, "\(ours.name)")
            }
        }
    }

    @Test("Frozen units keep their bits and have no moments", arguments: Catalogue.names)
    func frozen(_ name: String) throws {
        let layout = ToyLayouts.network
        let objective = Parabola(layout)
        let start = objective.parameters.copy()
        let values = try Self.known(["freeze": ["embeddings", "0-1"], "warmup": 0], by: name)
        let optimizer = try Catalogue.row(named: name).resolve(values)
            .makeOptimizer(layout: layout, steps: 10)
        for _ in 0..<5 { _ = try optimizer.step(objective) }
        for entry in layout.entries {
            let frozen = [.embeddings, .block(0), .block(1)].contains(entry.unit)
            let same = Array(objective.parameters[entry]).map(\.bitPattern) == Array(start[entry]).map(\.bitPattern)
            #expect(same == frozen, "\(entry.name)")
            for moment in optimizer.state.moments { #expect((moment.values.layout[entry.name] == nil) == frozen) }
        }
    }

    @Test("The gaps between tensors stay zero", arguments: Catalogue.names)
    func gaps(_ name: String) throws {
        let layout = ToyLayouts.network
        let objective = Parabola(layout)
        let optimizer = try optimizer(name, layout, steps: 5)
        for _ in 0..<5 { _ = try optimizer.step(objective) }
        for values in [objective.parameters] + optimizer.state.moments.map(\.values) {
            let inside = Set(values.layout.entries.flatMap { Array($0.range) })
            #expect((0..<values.count).allSatisfy { inside.contains($0) || values.pointer[$0].bitPattern == 0 })
        }
    }

    private func run(
        _ name: String, steps: Int, parallel: @escaping Parallel = serially
    ) throws -> Parameters {
        let objective = Parabola(ToyLayouts.large)
        let optimizer = try optimizer(name, ToyLayouts.large, steps: steps, parallel: parallel)
        for _ in 0..<steps { _ = try optimizer.step(objective) }
        return objective.parameters
    }
}
