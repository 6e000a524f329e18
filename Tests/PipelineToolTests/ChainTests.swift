import Foundation
import Pipeline
import Store
import Testing

@Suite struct ChainTests {
    @Test func aModelGoesFromImportToExportAndEveryOutputKeepsToItsSchema() throws {
        let scratch = try Scratch()
        let data = try Films.write(to: scratch)
        let model = try scratch.json("import", Repository.file("Fixtures/models/tiny-bert").path, "--name", "tiny")
        try SchemaChecker("import").check(model)
        #expect(model["architecture"]?["layers"] == 2)

        let dataset = try scratch.json(
            "prepare", "--task", "classification", "--data", data, "--model", "tiny", "--name", "films")
        try SchemaChecker("prepare").check(dataset)
        #expect(dataset["labels"] == ["negative", "positive"])
        #expect(dataset["splits"]?.arrayValue?.map { $0["examples"] } == [50, 50, 2])

        let log = scratch.path("log.jsonl")
        let run = try scratch.json(
            "adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "learning_rate=1e-3", "--set",
            "epochs=6",
            "--set", "batch_size=8", "--log", log)
        try SchemaChecker("adapt").check(run)
        #expect(run["steps"] == 42)
        #expect(run["history"]?.arrayValue?.count == 6)
        let losses = try #require(run["history"]?.arrayValue).compactMap { $0["loss"]?.doubleValue }
        #expect(try #require(losses.last) < 0.95 * losses[0], "training lowers the loss: \(losses)")
        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        let line = try SchemaChecker("log")
        for text in lines { try line.check(JSONValue(parsing: Array(text.utf8))) }
        #expect(lines.count == 42 + 6 + 6)

        let predictions = scratch.path("predictions.jsonl")
        let score = try scratch.json("eval", "critic", "--predictions", predictions)
        try SchemaChecker("eval").check(score)
        #expect(score["metrics"] == run["metrics"])
        #expect(score["model"] == run["model"])
        #expect(try #require(score["metrics"]?["accuracy"]?.doubleValue) > 0.9)
        let written = try String(contentsOfFile: predictions, encoding: .utf8).split(separator: "\n")
        #expect(written.count == 50)
        let prediction = try SchemaChecker("prediction")
        for text in written { try prediction.check(JSONValue(parsing: Array(text.utf8))) }

        let answer = try scratch.json("predict", "critic", "--text", "the film was great and fun")
        try SchemaChecker("predict").check(answer)
        #expect(answer["predictions"]?.arrayValue?.first?["label"] == "positive")

        let folder = try scratch.json("export", "critic", scratch.path("critic"))
        try SchemaChecker("export").check(folder)
        let config = try JSONValue(
            parsing: [UInt8](Data(contentsOf: URL(fileURLWithPath: scratch.path("critic/config.json")))))
        #expect(config["id2label"] == ["0": "negative", "1": "positive"])

        let verified = try scratch.json("store", "verify")
        try SchemaChecker("store-verify").check(verified)
        #expect(verified["clean"] == true)
        let usage = try scratch.json("store", "usage")
        try SchemaChecker("store-usage").check(usage)
        #expect(try #require(usage["stored_bytes"]?.integerValue) > 0)
        try SchemaChecker("store-list").check(scratch.json("store", "list", "--all"))
        for name in ["tiny", "films", "critic"] {
            try SchemaChecker("store-show").check(scratch.json("store", "show", name))
        }
        try SchemaChecker("recipes").check(scratch.json("recipes"))
        try SchemaChecker("tokenize").check(scratch.json("tokenize", "tiny", input: "the film\nthe film\twas good\n"))
    }

    @Test(arguments: RecipeCatalogue.names)
    func everyNamedRecipeTrainsAndItsLogKeepsToItsSchema(recipe: String) throws {
        let scratch = try Scratch.prepared(), log = scratch.path("log.jsonl")
        let run = try scratch.json(
            "adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--recipe", recipe, "--set", "steps=6", "--set",
            "batch_size=10", "--log", log)
        try SchemaChecker("adapt").check(run)
        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
        let line = try SchemaChecker("log")
        for json in lines { try line.check(json) }
        let steps = lines.filter { $0["event"] == "step" }
        #expect(steps.count == 6)
        let forward = try #require(run["passes"]?["forward"]?.doubleValue), weight = try #require(run["passes"]?["weight_gradient"]?.doubleValue)
        switch recipe {
        case "adamw", "adam", "sgd", "lamb", "lars": #expect(forward == weight)
        case "freelb", "sam": #expect(forward == weight && steps.allSatisfy { ($0["passes"]?["forward"]?.doubleValue ?? 0) > 0 })
        case "scala", "smart", "r3f": #expect(steps.contains { $0["noise"] != nil })
        default: #expect(forward > weight && steps.allSatisfy { $0["search"]?["step_sizes"] != nil })
        }
        #expect(steps.allSatisfy { ($0["trust_ratio"] != nil) == ["lamb", "lars", "scala"].contains(recipe) })
    }

    @Test func anExportedModelImportedAgainPredictsTheSame() throws {
        let scratch = try Scratch.prepared()
        try scratch.run("adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=3")
        try scratch.run("export", "critic", scratch.path("critic"))
        try scratch.run("import", scratch.path("critic"), "--name", "again")
        let texts = try scratch.write("the film was good\nthat day is dull\n", "texts.txt")
        // The export does not say in which precision the model was adapted, so it is named.
        let first = try scratch.json("predict", "critic", "--input", texts, "--precision", "fp32")
        let second = try scratch.json("predict", "again", "--input", texts, "--precision", "fp32")
        #expect(first["predictions"] == second["predictions"])
        #expect(first["predictions"]?.arrayValue?.count == 2)
    }

    @Test func whatWasComputedOnceIsFoundAgain() throws {
        let scratch = try Scratch.prepared()
        let data = try Films.write(to: scratch)
        let dataset = try scratch.json(
            "prepare", "--task", "classification", "--data", data, "--model", "tiny", "--name", "more")
        #expect(dataset["cached"] == true)
        let adapt = ["adapt", "--model", "tiny", "--data", "films", "--set", "steps=4", "--json", "--name"]
        let first = try Tool.run(adapt + ["one", "--log", scratch.path("one.jsonl")], in: scratch).json()
        let second = try Tool.run(adapt + ["two", "--log", scratch.path("two.jsonl")], in: scratch).json()
        #expect(first["cached"] == false)
        #expect(second["cached"] == true)
        #expect(first["run"] == second["run"])
        #expect(first["seconds"] == second["seconds"])
        let logs = try ["one", "two"].map { try Data(contentsOf: URL(fileURLWithPath: scratch.path("\($0).jsonl"))) }
        #expect(logs[0] == logs[1] && !logs[0].isEmpty)
        #expect(try scratch.json("eval", "one")["cached"] == false)
        #expect(try scratch.json("eval", "two")["cached"] == true)
        let other = try Tool.run(adapt + ["three", "--seed", "1"], in: scratch).json()
        #expect(other["cached"] == false)
        #expect(other["model"] != first["model"])
    }

    @Test func theNumberOfThreadsChangesNothing() throws {
        let scratch = try Scratch.prepared()
        let other = try Scratch.prepared()
        let one = try scratch.json(
            "adapt", "--model", "tiny", "--data", "films", "--name", "r", "--set", "steps=5", "--threads", "1")
        let two = try other.json(
            "adapt", "--model", "tiny", "--data", "films", "--name", "r", "--set", "steps=5", "--threads", "2")
        #expect(one["model"] == two["model"])
    }
}
