import Tensors
import Testing

@testable import Optimizers

@Suite struct CatalogueTests {
    @Test("An unknown optimizer is refused with the known ones")
    func unknownOptimizer() {
        #expect(throws: OptimizerError.unknownOptimizer(found: "adamax", known: Catalogue.names)) {
            try Catalogue.row(named: "adamax")
        }
    }

    @Test("An unknown key is refused with the known ones", arguments: Catalogue.rows.map(\.name))
    func unknownKey(_ name: String) throws {
        let row = try Catalogue.row(named: name)
        let known = (row.keys + row.conditionalKeys).map(\.name)
        #expect(throws: OptimizerError.unknownKey(optimizer: name, found: "lerning_rate", known: known)) {
            try row.resolve(["lerning_rate": 0.1])
        }
    }

    @Test("Weight decay is no key of adam, nor betas of sgd")
    func keysDiffer() {
        #expect(throws: OptimizerError.self) { try CatalogueRow.adam.resolve(["weight_decay": 0.1]) }
        #expect(throws: OptimizerError.self) { try CatalogueRow.sgd.resolve(["betas": [0.9, 0.99]]) }
    }

    @Test("Every key has an explanation, and a default that it accepts unchanged", arguments: Catalogue.names)
    func defaults(_ name: String) throws {
        let row = try Catalogue.row(named: name)
        #expect(!row.summary.isEmpty)
        #expect(Set(row.keys.map(\.name)).count == row.keys.count)
        for key in row.keys + row.conditionalKeys {
            #expect(try key.resolve(key.defaultValue) == key.defaultValue, "\(key.name)")
            #expect(!key.explanation.isEmpty && !key.expectation.isEmpty)
        }
        let values = try row.resolve([:]).values
        #expect(Set(values.keys) == Set(row.keys.map(\.name)))
    }

    @Test("The documented defaults are the defaults")
    func documented() throws {
        let values = try CatalogueRow.adamw.resolve([:]).values
        #expect(
            values == [
                "learning_rate": 2e-5, "schedule": "linear", "warmup": 0.1, "max_grad_norm": 1.0, "layer_decay": 1.0,
                "freeze": [], "betas": [0.9, 0.999], "epsilon": 1e-8, "weight_decay": 0.01, "reference_batch": 0,
                "batch_scaling": "sqrt",
            ])
        let sgd = try CatalogueRow.sgd.resolve([:]).values
        #expect(sgd["learning_rate"] == 0.01 && sgd["momentum"] == 0.9 && sgd["weight_decay"] == 0.0)
        let lamb = try CatalogueRow.lamb.resolve([:]).values
        #expect(lamb["learning_rate"] == 1e-3 && lamb["betas"] == [0.9, 0.999] && lamb["epsilon"] == 1e-6)
        #expect(lamb["weight_decay"] == 0.01 && lamb["max_grad_norm"] == 1.0 && lamb["trust_clip"] == [])
        let lars = try CatalogueRow.lars.resolve([:]).values
        #expect(lars["learning_rate"] == 1.0 && lars["momentum"] == 0.9 && lars["trust_coefficient"] == 1e-3)
        #expect(lars["weight_decay"] == 1e-4 && lars["epsilon"] == 1e-8)
    }

    @Test("Values that mean the same resolve to the same")
    func canonical() throws {
        let a = try CatalogueRow.adamw.resolve([
            "learning_rate": 1, "warmup": 10.0, "freeze": ["2", "embeddings", "0-1"].map(\.parsed).asList,
        ])
        let b = try CatalogueRow.adamw.resolve([
            "learning_rate": 1.0, "warmup": 10, "freeze": ["0-2", "1", "embeddings"].map(\.parsed).asList,
        ])
        #expect(a.values == b.values)
        #expect(a.values["freeze"] == ["embeddings", 0, 1, 2])
        #expect(try CatalogueRow.adamw.resolve(["freeze": "head"]).values["freeze"] == ["head"])
    }

    @Test(
        "A value that a key does not take is refused with what it takes",
        arguments: [
            ("learning_rate", "fast"), ("learning_rate", "-1"), ("learning_rate", "nan"), ("learning_rate", "inf"),
            ("betas", "0.9"), ("betas", "0.9,1"), ("betas", "0.9,x"), ("betas", "0.9,0.99,0.999"), ("epsilon", "0"),
            ("weight_decay", "-0.1"), ("max_grad_norm", "-1"), ("schedule", "step"), ("schedule", "3"),
            ("warmup", "-1"),
            ("warmup", "1.5"), ("warmup", "1e300"), ("layer_decay", "0"), ("layer_decay", "1.1"), ("freeze", "pooler"),
            ("freeze", "3-1"), ("freeze", "-1"), ("freeze", "0-999999999"), ("freeze", "1-"), ("freeze", "1.5"),
        ])
    func refused(_ key: String, _ text: String) throws {
        let error = #expect(throws: OptimizerError.self) {
            try CatalogueRow.adamw.resolve([key: HyperparameterValue(parsing: text)])
        }
        guard case .invalidValue(let named, _, let expected) = try #require(error) else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(named == key && !expected.isEmpty)
    }

    @Test("Freezing a block that the model does not have is refused")
    func freezeOutside() throws {
        let recipe = try CatalogueRow.adamw.resolve(["freeze": "1-3".parsed])
        #expect(
            throws: OptimizerError.invalidValue(
                key: "freeze", found: "block 3", expected: "blocks 0 to 2, which the model has")
        ) { try recipe.makeOptimizer(layout: ToyLayouts.network, steps: 1) }
    }

    @Test("The polynomial's keys belong to the polynomial alone, and its end lies below the rate")
    func polynomial() throws {
        let recipe = try CatalogueRow.adamw.resolve(["schedule": "polynomial", "schedule_power": 2])
        #expect(recipe.values["schedule_power"] == 2.0 && recipe.values["schedule_end"] == 1e-7)
        let error = #expect(throws: OptimizerError.self) { try CatalogueRow.adamw.resolve(["schedule_power": 2]) }
        #expect("\(try #require(error))" == "schedule_power: expected schedule polynomial, found schedule linear")
        #expect(throws: OptimizerError.self) {
            try CatalogueRow.adamw.resolve(["schedule": "polynomial", "learning_rate": 1e-8])
        }
    }

    @Test("Recipes compose the chains that their documentation states")
    func chains() throws {
        func chain(_ name: String, _ values: [String: HyperparameterValue] = [:]) throws -> [String] {
            try Catalogue.row(named: name).resolve(values).transformations.map(\.summary)
        }
        let adam = "adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-08)"
        #expect(try chain("adamw") == ["clip(max_norm: 1.0)", adam, "decoupled-decay(weight_decay: 0.01)"])
        #expect(try chain("adam", ["max_grad_norm": 0]) == [adam])
        #expect(try chain("sgd") == ["clip(max_norm: 1.0)", "momentum(momentum: 0.9, nesterov: false)"])
        #expect(
            try chain("sgd", ["momentum": 0, "weight_decay": 0.1, "max_grad_norm": 0])
                == ["add-decay(weight_decay: 0.1)"])
        #expect(
            try chain("lamb") == [
                "clip(max_norm: 1.0)", "adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-06)", "add-decay(weight_decay: 0.01)",
                "trust-ratio(trust_clip: [])",
            ])
        #expect(try chain("lamb", ["trust_clip": [0.01, 10]]).last == "trust-ratio(trust_clip: [0.01, 10.0])")
        let lars = "lars(trust_coefficient: 0.001, weight_decay: 0.0001, epsilon: 1e-08)"
        #expect(try chain("lars") == ["clip(max_norm: 1.0)", lars, "momentum(momentum: 0.9, nesterov: false)"])
        #expect(try chain("lars", ["momentum": 0, "max_grad_norm": 0]) == [lars])
        #expect(try CatalogueRow.adamw.resolve([:]).momentCount == 2)
    }

    @Test("Warm-up below one is a share, from one on a number of steps")
    func warmup() throws {
        func steps(_ text: String) throws -> HyperparameterValue? {
            try CatalogueRow.adamw.resolve(["warmup": text.parsed]).search(steps: 115).hyperparameters
                .first { $0.key == "warmup_steps" }?.value
        }
        #expect(try steps("0.1") == 11)
        #expect(try steps("1") == 1)
        #expect(try steps("20") == 20)
        #expect(try steps("0") == 0)
    }
}

extension String {
    var parsed: HyperparameterValue { HyperparameterValue(parsing: self) }
}

extension [HyperparameterValue] {
    var asList: HyperparameterValue { .list(self) }
}
