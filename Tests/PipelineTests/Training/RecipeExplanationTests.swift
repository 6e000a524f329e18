import Models
import Optimizers
import Store
import Tensors
import Testing

@testable import Pipeline

@Suite struct RecipeExplanationTests {
    private func explain(_ given: [String: HyperparameterValue]) throws -> RecipeExplanation {
        try RecipeExplanation(given, origins: given.mapValues { _ in .option })
    }

    private func explain(_ run: ToyAdaptation, _ toy: ToyStore) throws -> RecipeExplanation {
        try run.stage.explain(run.recipe, origins: run.recipe.mapValues { _ in .option }, toy.context())
    }

    /// Named recipes and compositions of which each counts in another way.
    static let costs: [[String: HyperparameterValue]] =
        RecipeCatalogue.rows.map(\.values) + [
            ["objective": "scala", "ascent_steps": 3, "noise_delay": 0], ["objective": "scala", "noise_mode": "clean-kl"],
            ["objective": "scala", "noise_interval": 3, "noise_delay": 0.2], ["objective": "freelb", "optimizer": "adamsls"],
            ["objective": "scala", "ascent_steps": 0, "sharpness_radius": 0.05, "optimizer": "salsa"],
            ["objective": "scala", "sharpness_radius": 0.05, "noise_delay": 0], ["optimizer": "adamsls", "precision": "bf16"],
            ["optimizer": "adamsls", "precision": "bf16", "sharpness_radius": 0.05],
            ["objective": "freelb", "optimizer": "alsals", "precision": "bf16"], ["freeze": .list(["embeddings", 0])],
            ["objective": "freelb", "freeze": .list(["embeddings", 0])], ["objective": "smart", "freeze": .list(["embeddings"])],
            ["optimizer": "plasls", "betas": [0.9, 0.99], "momentum_after_acceptance": true], ["freeze": .list([1])], ["objective": "scala", "noise_delay": 1],
            ["objective": "smart", "optimizer": "plasls", "unit_order": "all"], ["optimizer": "plasls", "units": 1],
            ["optimizer": "plasls", "whole_move": "search", "joint_steps": 0],
        ]

    @Test(arguments: costs)
    func `each step costs what the explanation says`(values: [String: HyperparameterValue]) throws {
        let toy = try ToyStore.ready(ToyTask(train: 24))
        var run = ToyAdaptation(values.merging(["steps": 10, "evaluate": "never", "batch_size": 4]) { $1 })
        run.recipe["batch_size"] = 4
        let explanation = try explain(run, toy)
        let finished = try run.run(toy)
        let cost = explanation.cost, lossPasses = try Recipe(run.recipe).objective.settings?.lossPasses ?? 1
        let setup = try AdaptSetup(run.stage, toy.context())
        var noisy = 0
        for (index, line) in try finished.events("step").enumerated() {
            let (epoch, batch) = setup.order.place(step: index)
            let rows = setup.order.batch(batch, epoch: epoch, of: setup.order.permutation(epoch: epoch))
            let tokens = Double(rows.reduce(0) { $0 + setup.train.length($1) })
            let hasNoise = line["noise"] != nil
            noisy += hasNoise ? 1 : 0
            var expected = hasNoise ? try #require(cost.noiseStep) : cost.plainStep
            let trials = Double(line["search"]?["forward_passes"]?.integerValue ?? 0)
            expected.forward += trials * (hasNoise ? lossPasses : 1)
            let counted = try PassTotals(json: #require(line["passes"]))
            #expect(counted.forward == expected.forward * tokens, "\(values), step \(index + 1)")
            #expect(counted.inputGradient == expected.inputGradient * tokens)
            #expect(counted.weightGradient == expected.weightGradient * tokens)
            if let searched = line["search"]?["searched"], searched == true {
                let expected = try #require(cost.trials)
                #expect(trials >= (index < expected.jointSteps ? 1 : expected.least + expected.afterMove))
            }
        }
        #expect(Double(noisy) / 10 == cost.noiseShare)
        #expect((cost.trials == nil) == (try finished.events("step")[0]["search"] == nil))
    }

    @Test func `the costs of ScaLA are those of its formulas`() throws {
        let scala = try explain(["objective": "scala"]).cost
        #expect(scala.noiseStep?.plainSteps == 5.0 / 3 && abs(scala.meanStep.plainSteps - 4.0 / 3) < 1e-15)
        #expect(try explain(["objective": "scala", "noise_mode": "clean-kl"]).cost.noiseStep?.plainSteps == 8.0 / 3)
        #expect(try explain(["objective": "r3f"]).cost.meanStep.plainSteps == 2)
        #expect(try explain(["objective": "freelb"]).cost.meanStep.plainSteps == 3)
        let half = try explain(["objective": "scala", "noise_share": 0.5, "noise_delay": 0]).cost
        #expect(abs(half.meanStep.plainSteps - 4.0 / 3) < 1e-15)
    }

    @Test func `a constant is told with its value, its default and where it was set`() throws {
        let explanation = try RecipeExplanation(
            ["optimizer": "lamb", "objective": "scala", "noise_init": "normal", "epochs": 2],
            origins: ["optimizer": .recipe("scala"), "objective": .recipe("scala"), "noise_init": .option, "epochs": .file("my.yaml")])
        func constant(_ name: String) throws -> RecipeExplanation.Constant {
            try #require(explanation.constants.first { $0.name == name }, "\(name)")
        }
        #expect(try constant("optimizer").value == "lamb" && constant("optimizer").standard == "adamw")
        #expect(try constant("optimizer").origin == .recipe("scala"))
        #expect(try constant("noise_init").standard == "scaled-uniform" && constant("noise_init").origin == .option)
        // It follows noise_init, and nobody set it.
        #expect(try constant("noise_size").value == .number(1e-5) && constant("noise_size").origin == .standard)
        #expect(try constant("epochs").standard == .number(3) && constant("epochs").origin == .file("my.yaml"))
        let recipe = try Recipe(["optimizer": "lamb", "objective": "scala", "noise_init": "normal", "epochs": 2])
        #expect(Set(explanation.constants.map(\.name)) == Set(try #require(recipe.canonical.objectValue).keys))
    }

    @Test(arguments: RecipeCatalogue.rows.map(\.name))
    func `every piece of a recipe brings its formula`(name: String) throws {
        let row = try #require(RecipeCatalogue.row(named: name))
        let pieces = try explain(row.values).pieces
        #expect(pieces.first?.role == .objective && pieces.last?.role == .stepSize)
        #expect(pieces.contains { $0.role == .sharpness } == (name == "sam"))
        for piece in pieces { #expect(!piece.formula.isEmpty && piece.formula.allSatisfy { $0.count > 5 }, "\(piece.name)") }
    }

    /// A change of a constant, and the piece whose formula has to show it.
    static let shown: [([String: HyperparameterValue], String, String)] = [
        (["betas": [0.8, 0.95]], "adam", "0.95"), (["max_grad_norm": 0.25], "clip", "0.25"),
        (["optimizer": "lamb", "trust_clip": [0.01, 7]], "trust-ratio", "7.0"), (["learning_rate": 0.125], "scheduled", "0.125"),
        (["schedule": "cosine"], "scheduled", "cos"), (["optimizer": "lars", "trust_coefficient": 0.25], "lars", "0.25"),
        (["optimizer": "sgd", "momentum": 0.75], "momentum", "0.75"), (["optimizer": "adamsls", "armijo_c": 0.35], "armijo", "0.35"),
        (["optimizer": "adamsls", "momentum_after_acceptance": true, "betas": [0.9, 0.99]], "armijo", "the loss may rise"),
        (["optimizer": "plasls", "unit_order": "random"], "per-unit-armijo", "drawn"),
        (["optimizer": "plasls", "merge_threshold": 1e-7], "per-unit-armijo", "1e-07"),
        (["optimizer": "plasls", "whole_move": "search"], "per-unit-armijo", "shrunk together"),
        (["optimizer": "salsa", "max_search_interval": 5], "smoothed-armijo", "1…5"), (["layer_decay": 0.75], "scheduled", "η·0.75^k"),
        (["optimizer": "adamsls", "sharpness_radius": 0.05], "armijo", "slope of another function"),
        (["objective": "scala", "noise_radius": 0.7], "scala", "0.7"), (["objective": "scala", "noise_interval": 4], "scala", "one step in every 4"),
        (["objective": "freelb", "passes": 5], "freelb", "4 ×"), (["objective": "r3f", "kl_weight": 3], "r3f", "3.0·"),
        (["objective": "smart", "noise_share": 0.5], "smart", "probability 0.5"), (["sharpness_radius": 0.125], "sam", "0.125"),
    ]

    @Test(arguments: shown)
    func `formulas show the constants of the recipe`(values: [String: HyperparameterValue], piece: String, text: String) throws {
        func formula(_ values: [String: HyperparameterValue]) throws -> String {
            try explain(values).pieces.filter { $0.name == piece }.flatMap(\.formula).joined(separator: "\n")
        }
        let explained = try formula(values)
        #expect(explained.contains(text), "\(explained)")
        #expect(try !formula(values.filter { ["optimizer", "objective"].contains($0.key) }).contains(text))
    }

    @Test func `memory does not grow with the batch, but for the noise that trials come back to`() throws {
        let toy = try ToyStore.ready()
        func bytes(_ batch: Int, _ values: [String: HyperparameterValue]) throws -> Int {
            try #require(try explain(ToyAdaptation(values.merging(["batch_size": .integer(batch)]) { $1 }), toy).memory.bytes)
        }
        let scala: [String: HyperparameterValue] = ["optimizer": "lamb", "objective": "scala"]
        #expect(try bytes(1024, scala) == bytes(4, scala))
        let searched: [String: HyperparameterValue] = ["optimizer": "adamsls", "objective": "scala"]
        #expect(try bytes(22, searched) > bytes(4, searched))
    }

    @Test func `weights as products take them are told where several passes take them, one way for blocks that are frozen`() throws {
        let toy = try ToyStore.ready(ToyTask(train: 200))
        func packed(_ values: [String: HyperparameterValue]) throws -> Int? {
            try explain(ToyAdaptation(values.merging(["precision": "bf16"]) { own, _ in own }), toy).memory.items
                .first { $0.name == "weights as products take them" }?.bytes
        }
        let many: [String: HyperparameterValue] = ["batch_size": 200, "micro_batch_tokens": 64]
        let backend = CPUBackend(precision: .bf16)
        guard backend.keepsBF16 else { return #expect(try packed(many) == nil) }
        let both = try #require(try packed(many))
        #expect(both > 0)
        #expect(try packed(["batch_size": 2, "micro_batch_tokens": 2048]) == nil)
        #expect(try packed(many.merging(["freeze": ["embeddings", 0, 1]]) { $1 }) == both / 2)
        #expect(try packed(many.merging(["precision": "fp32"]) { $1 }) == nil)
        // Noise that climbs goes back through frozen blocks, too; noise that never comes costs nothing.
        let noise: [String: HyperparameterValue] = ["objective": "scala", "freeze": ["embeddings", 0, 1]]
        #expect(try packed(many.merging(noise) { $1 }) == both)
        #expect(try packed(many.merging(noise) { $1 }.merging(["noise_delay": 1]) { $1 }) == both / 2)
    }

    @Test func `a search has one copy of the trained weights more, and no other`() throws {
        let toy = try ToyStore.ready()
        func items(_ optimizer: String) throws -> [ExpectedMemory.Item] {
            try explain(ToyAdaptation(["optimizer": .text(optimizer)]), toy).memory.items
        }
        let trained = try #require(try items("adamw").first { $0.name == "moment adam.first" }?.bytes)
        for (search, plain) in [("sgdsls", "sgd"), ("alsals", "adam")] {
            let extra = try items(search).filter { item in try !items(plain).contains { $0.name == item.name } }
            #expect(extra.map(\.bytes) == [trained] && extra[0].name.contains("weights before the step"), "\(search)")
        }
    }

    @Test func `with model and data there are figures for them`() throws {
        let toy = try ToyStore.ready(), run = ToyAdaptation(["optimizer": "plasls"])
        let without = try explain(run.recipe), with = try explain(run, toy)
        #expect(without.run == nil && without.memory.bytes == nil && without.cost.trials?.steady == nil)
        let figures = try #require(with.run)
        #expect(figures.steps == 18 && figures.epochSteps == 6 && figures.epochs == 3)
        #expect(figures.units == [["embeddings"], ["block 0"], ["block 1"], ["head"]])
        // Growth of four step sizes by 2 over six steps is undone by 4·ln 2/(6·ln 1/0.9) backtracks a step, beside the accepted trial.
        let trials = try #require(with.cost.trials), steady = try #require(trials.steady)
        #expect(abs(steady - 5.3859) < 1e-3)
        #expect(trials.least == 1 && trials.afterMove == 1 && trials.jointSteps == 6 && !trials.isPerUnit)
        let one = try #require(try explain(["optimizer": "plasls", "units": 1]).cost.trials)
        #expect(one.least == 1 && one.afterMove == 0 && one.jointSteps == 0)
        let all = try explain(["optimizer": "plasls", "unit_order": "all"]).cost.trials
        #expect(all?.isPerUnit == true && all?.least == 1 && all?.afterMove == 1)
        let memory = try #require(with.memory.bytes)
        #expect(memory == with.memory.items.reduce(0) { $0 + $1.bytes! })
        #expect(memory > 5 * 4 * figures.trainedParameters, "weights, gradient, second moment, saved weights, best weights")
        #expect(with.memory.items.map(\.name) == without.memory.items.map(\.name))
        #expect(try run.stage.estimate(toy.context()).memoryBytes == memory)
    }
}
