import Foundation
import Pipeline
import Store
import Testing

@Suite struct ExplainCommandTests {
    @Test(arguments: RecipeCatalogue.names)
    func everyRecipeIsExplainedWithoutAStore(recipe: String) throws {
        let scratch = try Scratch()
        let json = try scratch.json("adapt", "--recipe", recipe, "--explain")
        try SchemaChecker("adapt-explain").check(json)
        #expect(json["run"] == .null)
        let text = try scratch.run("adapt", "--recipe", recipe, "--explain").output
        for piece in try #require(json["pieces"]?.arrayValue) {
            for line in try #require(piece["formula"]?.arrayValue) {
                #expect(text.contains(try #require(line.stringValue)), "\(line)")
            }
        }
        for constant in try #require(json["constants"]?.arrayValue) {
            #expect(text.contains("  " + (try #require(constant["name"]?.stringValue))))
        }
        #expect(text.hasSuffix("next: pipeline adapt --model MODEL --data DATA --name RUN --recipe \(recipe)\n"))
    }

    @Test func whereAConstantWasSetIsTold() throws {
        let scratch = try Scratch()
        let file = try scratch.write("optimizer: lamb\nlearning_rate: 2e-3\nbetas: [0.9, 0.98]\n", "mine.yaml")
        let json = try scratch.json("adapt", "--recipe", file, "--set", "betas=0.8,0.9", "--explain")
        func constant(_ name: String) throws -> JSONValue {
            try #require(json["constants"]?.arrayValue?.first { $0["name"]?.stringValue == name })
        }
        #expect(try constant("learning_rate")["set_by"] == "file" && constant("learning_rate")["source"] == .string(file))
        #expect(try constant("learning_rate")["default"] == .number(1e-3))
        #expect(try constant("betas")["set_by"] == "option" && constant("betas")["value"] == [0.8, 0.9])
        #expect(try constant("epsilon")["set_by"] == "default" && constant("epsilon")["source"] == .null)
    }

    @Test func aModelWithItsDataIsExplainedAndNothingIsStored() throws {
        let scratch = try Scratch.prepared()
        let before = try scratch.json("store", "list", "--all")
        let words = ["adapt", "--model", "tiny", "--data", "films", "--recipe", "salsa", "--explain"]
        let json = try Tool.run(words + ["--json"], in: scratch).json()
        try SchemaChecker("adapt-explain").check(json)
        #expect(json["run"]?["steps"] == 6)
        #expect(json["run"]?["step_size"]?["growth_period"] == "1")
        #expect(try #require(json["memory"]?["bytes"]?.integerValue) > 0)
        let text = try Tool.run(words, in: scratch).output
        #expect(text.contains("this run\n") && text.contains("next: pipeline adapt --model tiny --data films --name RUN"))
        #expect(try scratch.json("store", "list", "--all") == before)
    }

    @Test func whatCannotBeExplainedIsRefused() throws {
        let scratch = try Scratch()
        #expect(try scratch.failure("adapt", "--explain", "--dry-run").status == 64)
        #expect(try scratch.failure("adapt", "--explain", "--model", "tiny").status == 64)
        #expect(try scratch.failure("adapt", "--explain", "--set", "lerning_rate=1").status == 65)
        let twice = try scratch.failure("adapt", "--explain", "--recipe", "lamb", "--recipe", "freelb")
        #expect(twice.status == 64 && twice.errors.contains("given twice") && twice.errors.contains("--recipe lamb --set objective=freelb"))
        for (lines, word) in [
            ("optimizer: sgd\nnesterov: maybe", "nesterov"), ("optimizer: sgd\nlerning_rate: 1", "lerning_rate"),
            ("objective: smart\npasses: 3", "passes"), ("optimizer: sgdsls\nwarmup: 5", "warmup"), ("ascent_steps: 0\nnoise_step: 3\nobjective: scala", "noise_step"),
            ("max_step: 0.5\ninitial_step: 0.7\noptimizer: salsa", "initial_step"), ("optimizer: adamsls\nweight_decay: 0.3", "weight_decay"),
            ("optimizer: adamsls\nsearch: armijo", "search"),
        ] {
            let file = try scratch.write(lines + "\n", "recipe.yaml")
            let failure = try scratch.failure("adapt", "--explain", "--recipe", file)
            #expect(failure.status == 65 && failure.errors.contains("recipe.yaml, line 2") && failure.errors.contains(word), "\(failure.errors)")
        }
        #expect(try scratch.failure("adapt", "--data", "films", "--name", "critic").errors.contains("--model"))
    }

    @Test func aTraceFollowsItsSchema() throws {
        let scratch = try Scratch.prepared()
        let folder = scratch.path("trace")
        try scratch.run(
            "adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--recipe", "plasls", "--set", "steps=8", "--trace", folder)
        let lines = try String(contentsOfFile: folder + "/steps.jsonl", encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 8)
        for line in lines { try SchemaChecker("trace").check(JSONValue(parsing: Array(line.utf8))) }
        let again = try scratch.failure(
            "adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--recipe", "plasls", "--set", "steps=8", "--trace",
            scratch.path("other"))
        #expect(again.status == 64)
    }
}
