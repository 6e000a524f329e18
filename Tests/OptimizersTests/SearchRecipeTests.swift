import Tensors
import Testing

@testable import Optimizers

@Suite struct SearchRecipeTests {
    private func search(
        _ name: String, _ values: [String: HyperparameterValue] = [:], seed: UInt64 = 0
    ) throws -> any LineSearch {
        try Catalogue.row(named: name).resolve(values).search(steps: 300, epochSteps: 100, seed: seed)
    }

    private func rule(_ search: any LineSearch) -> ArmijoRule? {
        (search as? BacktrackingArmijo)?.rule ?? (search as? PerUnitArmijo)?.rule ?? (search as? SmoothedArmijo)?.rule
    }

    @Test("The named searches have the constants of their definition")
    func defaults() throws {
        let plain = ArmijoRule(
            sufficientDecrease: 0.1, backtrack: 0.9, initialStep: 0.1, growth: 2, growthPeriod: 100, maximumStep: 10,
            maximumTrials: 100, rejectionShrink: 10, toleranceUnits: 4)
        for name in ["sgdsls", "adamsls", "plasls"] { #expect(try rule(search(name)) == plain) }
        let plasls = try #require(try search("plasls") as? PerUnitArmijo)
        #expect(plasls.units == .automatic && plasls.order == .cyclic && plasls.jointSteps == 6)
        #expect(plasls.mergeThreshold == 0)
        let alsals = try #require(try search("alsals") as? SmoothedArmijo)
        #expect(alsals.rule.sufficientDecrease == 0.3 && alsals.rule.backtrack == 0.9 && alsals.smoothing == 0.99)
        #expect(abs(alsals.rule.grown(0.5) - 0.5 / 0.999) < 1e-15 && alsals.frequency.longest == 1)
        let salsa = try #require(try search("salsa") as? SmoothedArmijo)
        #expect(salsa.rule.sufficientDecrease == 0.5 && salsa.rule.backtrack == 0.8 && salsa.smoothing == 0.9)
        #expect(salsa.rule.initialStep == 1 && abs(salsa.rule.grown(1) - 1.1) < 1e-15 && salsa.rule.grown(9.9) == 10)
        #expect(salsa.frequency == SearchFrequency(longest: 10, always: 10, fast: 0.9, slow: 0.99))
    }

    @Test("The named searches compose the directions of their definition, without clipping")
    func chains() throws {
        func chain(_ name: String, _ values: [String: HyperparameterValue] = [:]) throws -> [String] {
            try Catalogue.row(named: name).resolve(values).transformations.map(\.summary)
        }
        let decay = "decoupled-decay(weight_decay: 0.0)"
        #expect(try chain("sgdsls") == [decay])
        #expect(try chain("sgdsls", ["momentum": 0.5])[0] == "momentum(momentum: 0.5, nesterov: false)")
        for name in ["adamsls", "plasls", "salsa"] {
            #expect(try chain(name) == ["rms(beta: 0.999, epsilon: 1e-08)", decay])
        }
        #expect(try chain("alsals") == ["adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-08)", decay])
        #expect(
            try chain("adamw", ["search": "armijo"])
                == ["adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-08)", "decoupled-decay(weight_decay: 0.01)"])
    }

    @Test("Any scheduled optimizer takes any search", arguments: SearchKind.allCases)
    func combinations(_ kind: SearchKind) throws {
        for row in Catalogue.rows where row.search == nil {
            let recipe = try row.resolve(["search": .text(kind.rawValue)])
            #expect(recipe.searchKind == kind)
            let objective = Parabola(ToyLayouts.network)
            let optimizer = try recipe.makeOptimizer(layout: ToyLayouts.network, steps: 20)
            var reports: [StepReport] = []
            for _ in 0..<9 { reports.append(try optimizer.step(objective)) }
            #expect(reports.allSatisfy { ($0.trials == nil) == (kind == .schedule) })
            #expect(try objective.loss() < reports[0].loss)
            #expect((recipe.values["learning_rate"] == nil) == (kind != .schedule))
            #expect((recipe.values["armijo_c"] == nil) == (kind == .schedule))
            #expect((recipe.values["search"] == nil) == (kind == .schedule))
        }
    }

    @Test("A schedule that is named is the schedule that is not, to the run's key")
    func namedSchedule() throws {
        #expect(
            try CatalogueRow.adamw.resolve(["search": "schedule"]).values == CatalogueRow.adamw.resolve([:]).values)
    }

    @Test("Keys that do not belong to the search at hand are refused with the search that they belong to")
    func foreignKeys() throws {
        func refused(_ name: String, _ values: [String: HyperparameterValue]) -> OptimizerError? {
            do { _ = try Catalogue.row(named: name).resolve(values) } catch { return error as? OptimizerError }
            return nil
        }
        #expect(
            refused("adamw", ["armijo_c": 0.2])
                == .invalidValue(
                    key: "armijo_c", found: "search schedule",
                    expected: "search armijo or per_unit_armijo or smoothed_armijo"))
        #expect(
            refused("adamw", ["search": "armijo", "learning_rate": 0.2])
                == .invalidValue(key: "learning_rate", found: "search armijo", expected: "search schedule"))
        #expect(
            refused("sgd", ["search": "armijo", "units": 2])
                == .invalidValue(key: "units", found: "search armijo", expected: "search per_unit_armijo"))
        #expect(
            refused("sgd", ["search": "armijo", "schedule": "polynomial", "schedule_power": 2])
                == .invalidValue(key: "schedule", found: "search armijo", expected: "search schedule"))
        for (name, key) in [("adamsls", "learning_rate"), ("adamsls", "units"), ("plasls", "search")] {
            guard case .unknownKey(name, key, _)? = refused(name, [key: 1]) else {
                Issue.record("\(name) takes \(key)")
                continue
            }
        }
        #expect(refused("adamw", ["search": "wolfe"]) != nil)
    }

    @Test("A key that would change nothing is refused, its default is not, and so is decay that could turn weights around")
    func idleKeys() throws {
        func fails(_ name: String, _ values: [String: HyperparameterValue], at key: String) throws -> Bool {
            do { _ = try Catalogue.row(named: name).resolve(values) } catch OptimizerError.invalidValue(key, _, _) { return true }
            return false
        }
        let idle: [(name: String, key: String, value: HyperparameterValue, beside: String, off: HyperparameterValue, on: HyperparameterValue)] = [
            ("alsals", "always_search_steps", 3, "max_search_interval", 1, 2), ("salsa", "interval_betas", [0.8, 0.9], "max_search_interval", 1, 2),
            ("adamsls", "growth_period", 7, "growth", 1, 2), ("plasls", "unit_order", "all", "units", 1, 2),
            ("plasls", "joint_steps", 1, "units", 1, "auto"), ("plasls", "merge_threshold", 1, "units", 1, "blocks"),
            ("plasls", "whole_move", "search", "units", 1, 2),
            ("adamsls", "weight_decay", 0.2, "max_step", 10, 5),
        ]
        for (name, key, value, beside, off, on) in idle {
            #expect(try fails(name, [key: value, beside: off], at: key), "\(name) \(key)")
            #expect(try !fails(name, [key: value, beside: on], at: key))
            #expect(try !fails(name, [beside: off], at: key))
        }
        #expect(try fails("salsa", ["max_step": 0.5, "initial_step": 1], at: "initial_step"))
        #expect(try Catalogue.row(named: "salsa").resolve(["max_step": 0.5]).values["initial_step"] == 0.5)
        #expect(try fails("plasls", ["whole_move": "search", "betas": [0.9, 0.99], "momentum_after_acceptance": true], at: "whole_move"))
        // Inside the direction decay is a part of what is tried.
        #expect(try fails("adamw", ["search": "armijo", "weight_decay": 0.2], at: "weight_decay"))
        #expect(try !fails("sgd", ["search": "armijo", "weight_decay": 0.2], at: "weight_decay"))
    }

    @Test("Momentum after acceptance needs momentum")
    func momentumAfterAcceptance() throws {
        #expect(throws: OptimizerError.self) { try CatalogueRow.adamsls.resolve(["momentum_after_acceptance": true]) }
        let values: [String: HyperparameterValue] = ["momentum_after_acceptance": true, "betas": [0.9, 0.999]]
        #expect(try rule(search("adamsls", values))?.momentumAfterAcceptance == true)
        #expect(try rule(search("sgd", ["search": "armijo", "momentum_after_acceptance": true])) != nil)
    }

    @Test("The seed enters only where something is drawn, and every constant is described")
    func description() throws {
        let drawn = try search("plasls", ["unit_order": "random"], seed: 5) as? PerUnitArmijo
        #expect(drawn?.seed == 5)
        #expect(try (search("plasls", seed: 5) as? PerUnitArmijo)?.seed == 0)
        for name in ["sgdsls", "adamsls", "plasls", "alsals", "salsa"] {
            let described = try Set(search(name).hyperparameters.map(\.key))
            let row = try Catalogue.row(named: name)
            let direction: Set = ["betas", "epsilon", "weight_decay", "layer_decay", "freeze", "momentum"]
            #expect(described.subtracting(["seed"]) == Set(row.keys.map(\.name)).subtracting(direction))
        }
    }

    @Test(
        "Values that a search key does not take are refused",
        arguments: [
            ("armijo_c", "0"), ("armijo_c", "1"), ("backtrack", "1"), ("initial_step", "0"), ("growth", "0.9"),
            ("growth_period", "0"), ("growth_period", "day"), ("max_step", "-1"), ("max_trials", "0"),
            ("max_trials", "1.5"), ("rejection_shrink", "-1"), ("search_tolerance", "-1"),
            ("momentum_after_acceptance", "1"), ("units", "0"), ("units", "many"), ("unit_order", "reverse"),
            ("joint_steps", "-1"), ("merge_threshold", "-1"),
        ])
    func refusedValues(_ key: String, _ value: String) {
        #expect(throws: OptimizerError.self) { try CatalogueRow.plasls.resolve([key: value.parsed]) }
    }
}
