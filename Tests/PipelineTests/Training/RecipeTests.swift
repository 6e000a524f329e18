import Optimizers
import Store
import Tensors
import Testing

@testable import Pipeline

@Suite struct RecipeTests {
    private func canonical(_ given: [String: HyperparameterValue]) throws -> String { try Recipe(given).canonical.canonicalText() }

    private func refusal(_ given: [String: HyperparameterValue]) throws -> PipelineError? {
        try error(PipelineError.self) { try Recipe(given) }
    }

    private func yaml(_ text: String) throws -> [String: HyperparameterValue] { try Recipe.values(yaml: text, file: "recipe.yaml") }

    private func yamlRefusal(_ text: String) throws -> FormatError? { try error(FormatError.self) { try yaml(text) } }

    @Test func `the precision is resolved to its name, and a search compares losses in float32`() throws {
        for format in Precision.allCases {
            let recipe = try Recipe(["precision": .text(format.rawValue)])
            #expect(recipe.precision == format)
            #expect(recipe.canonical["precision"] == .string(format.rawValue))
        }
        #expect(try Recipe(["optimizer": "adamsls"]).precision == .fp32)
        #expect(try Recipe(["optimizer": "adamsls", "precision": "bf16"]).precision == .bf16)
        #expect(try Recipe(["precision": ""]).precision == .fastest)
    }

    @Test func `every constant has its documented default`() throws {
        let recipe = try Recipe([:])
        #expect(recipe.optimizer.name == "adamw")
        #expect(recipe.batchSize == 32)
        #expect(recipe.length == .epochs(3))
        #expect(recipe.dropout == nil)
        #expect(recipe.classWeights.isEmpty && !recipe.balancesClasses)
        #expect(recipe.precision == .fastest)
        #expect(recipe.microBatchTokens == 2048)
        #expect(recipe.evaluation == .everyEpoch)
        #expect(recipe.patience == 0)
        #expect(recipe.selection == .best)
    }

    @Test(arguments: Recipe.keys.filter { $0.name != "steps" }.map(\.name))
    func `a default that is written out changes nothing`(_ name: String) throws {
        let key = try #require(Recipe.keys.first { $0.name == name })
        #expect(try canonical([name: HyperparameterValue(parsing: key.defaultText)]) == canonical([:]))
    }

    @Test(arguments: Catalogue.names)
    func `the canonical form has a value for every key`(_ optimizer: String) throws {
        let members = try #require(try Recipe(["optimizer": .text(optimizer)]).canonical.objectValue)
        let known = Set(Recipe.keys.map(\.name)).subtracting(["steps"]).union(try Catalogue.row(named: optimizer).keys.map(\.name))
        #expect(Set(members.keys) == known)
    }

    @Test(arguments: [
        ("optimizer", "sgd", "\"sgd\""), ("batch_size", "7", "7"), ("epochs", "2.5", "2.5"), ("steps", "11", "11"),
        ("dropout", "0.25", "0.25"), ("class_weights", "1,0.5", "[1.0,0.5]"), ("class_weights", "balanced", "\"balanced\""),
        ("micro_batch_tokens", "512", "512"), ("evaluate", "end", "\"end\""), ("evaluate", "never", "\"never\""),
        ("evaluate", "40", "40"), ("patience", "2", "2"), ("select", "last", "\"last\""), ("learning_rate", "3e-5", "0.00003"),
        ("warmup", "10", "10"), ("freeze", "embeddings,0-2", "[\"embeddings\",0,1,2]"), ("betas", "0.8,0.99", "[0.8,0.99]"),
    ])
    func `every key shows in the canonical form and reads back from it`(_ key: String, _ written: String, _ value: String) throws {
        let recipe = try Recipe([key: HyperparameterValue(parsing: written)])
        let text = try recipe.canonical.canonicalText()
        #expect(try recipe.canonical[key]?.canonicalText() == JSONValue(parsing: value).canonicalText())
        #expect(try text != canonical([:]))
        // JSON is YAML: the canonical form is a recipe file of the same recipe.
        #expect(try canonical(yaml(text.replacing("null", with: "''"))) == text)
    }

    @Test func `equal recipes are equal however they are written`() throws {
        let reference = try canonical(["learning_rate": 2e-5, "epochs": 2, "freeze": ["embeddings", 0, 1], "evaluate": "epoch"])
        for text in [
            "learning_rate: 2e-5\nepochs: 2\nfreeze: [embeddings, 0-1]\n",
            "epochs: 2.0\nfreeze: [1, 0, embeddings]\nlearning_rate: 0.00002 # small\n",
            "{learning_rate: 2.0e-05, epochs: '2', freeze: 'embeddings, 0, 1', batch_size: 32}",
        ] {
            #expect(try canonical(yaml(text)) == reference, "\(text)")
        }
        #expect(try canonical(["learning_rate": 3e-5, "epochs": 2, "freeze": ["embeddings", 0, 1]]) != reference)
        for (whole, real) in [("1", "1.0"), ("0", "0.0"), ("1", "1e0")] {
            for key in ["learning_rate", "warmup", "max_grad_norm", "weight_decay", "class_weights", "epochs", "dropout"] {
                guard whole == "0" ? key != "epochs" && key != "class_weights" : key != "dropout" else { continue }
                let (one, other) = (HyperparameterValue(parsing: whole), HyperparameterValue(parsing: real))
                #expect(try canonical([key: one]) == canonical([key: other]), "\(key): \(whole) and \(real)")
            }
        }
    }

    @Test func `an unknown key is refused and the known ones are named`() throws {
        let refusal = try #require(try refusal(["learning_rat": 1e-5]))
        #expect(refusal.code == .recipe)
        #expect(refusal.problem.contains("learning_rat"))
        let advice = try #require(refusal.advice)
        for name in Recipe.keys.map(\.name) + (try Catalogue.row(named: "adamw").keys.map(\.name)) { #expect(advice.contains(name)) }
    }

    @Test(arguments: [
        ["optimizer": "adamsls", "objective": "scala", "sharpness_radius": 0.05], ["patience": 2, "evaluate": "end"],
        ["patience": 2, "evaluate": "never"], ["micro_batch_tokens": 2_000_000_000], ["batch_size": .real(1e18)],
        ["objective": "scala", "ascent_steps": 0, "noise_step": 0.2],
    ] as [[String: HyperparameterValue]])
    func `values that do not go together or are beyond any machine are refused`(_ given: [String: HyperparameterValue]) throws {
        #expect(try refusal(given)?.code == .recipe)
    }

    @Test(arguments: [
        ["optimizer": "sgd", "momentum": 0, "nesterov": true], ["batch_scaling": "linear"],
        ["optimizer": "alsals", "max_search_interval": 1, "interval_betas": [0.5, 0.6]],
    ] as [[String: HyperparameterValue]])
    func `a key that would change nothing is refused, and taken with its default`(_ given: [String: HyperparameterValue]) throws {
        let key = try #require(given.keys.first { ["nesterov", "batch_scaling", "interval_betas"].contains($0) })
        let refusal = try error(OptimizerError.self) { try Recipe(given) }
        guard case .invalidValue(key, _, _)? = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        var values = given
        values[key] = nil
        let written = try yaml(Recipe(values).canonical.canonicalText().replacing("null", with: "''"))
        #expect(written[key] != nil)
        #expect(try canonical(written) == canonical(values))
    }

    @Test func `a key of other pieces is refused with these`() throws {
        func refusal(_ given: [String: HyperparameterValue]) throws -> PipelineError {
            try #require(try error(PipelineError.self) { try Recipe(given) })
        }
        let rate = try refusal(["optimizer": "sgdsls", "learning_rate": 0.1])
        #expect(rate.problem == "learning_rate is a key of adamw, adam, sgd, lamb and lars, and the optimizer is sgdsls")
        #expect(rate.advice == "Leave the key out, or take another recipe or optimizer.")
        #expect(try refusal(["optimizer": "adamsls", "search": "armijo"]).problem == "search is a key of adamw, adam, sgd, lamb and lars, and the optimizer is adamsls")
        let radius = try refusal(["objective": "smart", "noise_radius": 0.1])
        #expect(radius.problem == "noise_radius is a key of scala and freelb, and the objective is smart")
        #expect(try refusal(["passes": 3]).problem == "passes is a key of freelb, and the objective is plain")
    }

    @Test func `an unknown optimizer is refused and the known ones are named`() throws {
        #expect(
            try error(OptimizerError.self) { try Recipe(["optimizer": "adamx"]) }
                == .unknownOptimizer(found: "adamx", known: Catalogue.names))
    }

    @Test(arguments: [
        ("batch_size", "0"), ("batch_size", "2.5"), ("batch_size", "many"), ("epochs", "0"), ("epochs", "-1"), ("epochs", "nan"),
        ("epochs", "inf"), ("steps", "0"), ("steps", "1.5"), ("dropout", "1"), ("dropout", "-0.1"), ("dropout", "nan"),
        ("class_weights", "1,-1"), ("class_weights", "1,x"), ("class_weights", "inf,1"), ("class_weights", "0,0"), ("precision", "fp16"),
        ("micro_batch_tokens", "0"), ("evaluate", "sometimes"), ("evaluate", "0"), ("evaluate", "1.5"), ("patience", "-1"),
        ("select", "first"), ("optimizer", "3"), ("batch_size", "1e30"), ("steps", "1e30"),
    ])
    func `a value out of place is refused and what is expected is said`(_ key: String, _ value: String) throws {
        let refusal = try #require(try refusal([key: HyperparameterValue(parsing: value)]))
        #expect(refusal.code == .recipe)
        #expect(refusal.problem.hasPrefix(key))
        #expect(refusal.advice?.hasPrefix("It takes ") == true)
    }

    @Test func `epochs and steps exclude each other`() throws {
        let refusal = try #require(try refusal(["epochs": 3, "steps": 10]))
        #expect(refusal.code == .recipe)
        #expect(refusal.problem.contains("epochs (3)") && refusal.problem.contains("steps (10)"))
        let members = try #require(try Recipe(["steps": 10]).canonical.objectValue)
        #expect(members["epochs"] == nil && members["steps"] == 10)
    }

    /// Counted by the rule of the training loop: at each multiple, and at the end.
    @Test(arguments: [(18, 6), (17, 6), (18, 5), (1, 6), (6, 6), (3, 1)])
    func `evaluations to come are counted`(_ steps: Int, _ interval: Int) {
        for step in 1...steps {
            let due = (step...steps).count { $0 == steps || $0.isMultiple(of: interval) }
            #expect(Recipe.Evaluation.every(steps: interval).count(from: step, through: steps, epochSteps: 99) == due)
            #expect(Recipe.Evaluation.everyEpoch.count(from: step, through: steps, epochSteps: interval) == due)
            #expect(Recipe.Evaluation.atEnd.count(from: step, through: steps, epochSteps: interval) == 1)
            #expect(Recipe.Evaluation.never.count(from: step, through: steps, epochSteps: interval) == 0)
        }
    }

    @Test func `a recipe file may be empty or hold comments alone`() throws {
        #expect(try yaml("").isEmpty)
        #expect(try yaml("# nothing yet\n").isEmpty)
    }

    @Test func `lists are written in both ways of YAML`() throws {
        #expect(try yaml("freeze:\n  - embeddings\n  - 0\nbetas: [0.9, 0.99]\n") == ["freeze": ["embeddings", 0], "betas": [0.9, 0.99]])
    }

    @Test(arguments: [
        ("epochs: 2\nbatch_size: 4\nepochs: 3\n", 3, "'epochs' stands twice"),
        ("epochs: 2\r\nbatch_size: 4\r\nepochs: 3\r\n", 3, "'epochs' stands twice"),
        ("# epochs: 1\nepochs: 2\n\n\"epochs\": 3\n", 4, "'epochs' stands twice"),
        ("epochs: 2\nmodel:\n  size: 3\n", 3, "'model' is neither a value nor a list"),
        ("epochs: 2\nfreeze:\n  - [0, 1]\n", 3, "'freeze' holds lists inside a list"),
        ("epochs: 2\n? [a, b]\n: 3\n", 2, "a key is no plain text"),
        ("epochs: 2\nfreeze: [0, 1\n", 3, "not YAML"),
        ("epochs: 2\nbatch_size: \"4\n", 3, "not YAML"),
        ("epochs: 2\n\tbatch_size: 4\n", 2, "not YAML"),
    ])
    func `a fault in a recipe file is told with its line`(_ text: String, _ line: Int, _ problem: String) throws {
        let refusal = try #require(try yamlRefusal(text))
        #expect(refusal.reason == .recipeSyntax)
        #expect(refusal.file == "recipe.yaml")
        #expect(refusal.problem.contains(problem), "\(refusal)")
        #expect(refusal.line == line, "\(refusal)")
    }

    @Test(arguments: ["- epochs\n- 3\n", "epochs\n", "a: 1\n---\nb: 2\n"])
    func `a recipe file that is no mapping is refused`(_ text: String) throws {
        #expect(try yamlRefusal(text)?.reason == .recipeSyntax)
    }
}
