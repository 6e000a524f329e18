import Foundation
import Store
import Testing

@Suite struct AdaptCommandTests {
    private static let adapt = ["adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--json"]

    @Test func aDryRunEstimatesAndStoresNothing() throws {
        let scratch = try Scratch.prepared()
        let before = try scratch.json("store", "list", "--all")
        let estimate = try Tool.run(Self.adapt + ["--dry-run", "--set", "freeze=embeddings"], in: scratch).json()
        try SchemaChecker("adapt-estimate").check(estimate)
        #expect(estimate["steps"] == 6)
        let parameters = try #require(estimate["parameters"]?.integerValue)
        #expect(try #require(estimate["trained_parameters"]?.integerValue) < parameters)
        #expect(try #require(estimate["memory_bytes"]?.integerValue) > 8 * parameters, "weights and gradient at least")
        #expect(try scratch.json("store", "list", "--all") == before)
        #expect(try scratch.failure("store", "show", "critic").status == 64)
        let unnamed = try Tool.run(["adapt", "--model", "tiny", "--data", "films", "--dry-run"], in: scratch)
        #expect(unnamed.status == 0 && unnamed.output.contains("--model tiny --data films --name RUN"), "\(unnamed.output)")
    }

    @Test func aGivenOrderDecidesTheBatches() throws {
        let scratch = try Scratch.prepared()
        let order = try scratch.write("[[[0, 1, 2], [49]], [[3, 4]]]", "order.json")
        let log = scratch.path("log.jsonl")
        let run = try Tool.run(Self.adapt + ["--order", order, "--set", "epochs=2", "--log", log], in: scratch).json()
        #expect(run["steps"] == 3)
        let events = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
            .map { try JSONValue(parsing: Array($0.utf8)) }.filter { $0["event"] == "step" }
        #expect(events.map { $0["examples"] } == [3, 1, 2])
        #expect(events.map { $0["epoch"] } == [1, 1, 2])
        let rows = try scratch.write("[[[2], [3], [2]]]", "rows.json")
        let still = ["--set", "learning_rate=0", "--set", "dropout=0", "--set", "epochs=1", "--replace", "--log", log]
        _ = try Tool.run(Self.adapt + ["--order", rows] + still, in: scratch).json()
        let losses = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
            .map { try JSONValue(parsing: Array($0.utf8)) }.filter { $0["event"] == "step" }.map { $0["loss"] }
        #expect(losses[0] == losses[2] && losses[0] != losses[1], "without learning a row has its own loss: \(losses)")
    }

    @Test func aRunFoundInTheStoreSaysThatOtherKernelsComputedIt() throws {
        let scratch = try Scratch.prepared(), words = Self.adapt + ["--replace", "--set", "precision=fp32"]
        let first = try Tool.run(words, environment: ["PIPELINE_KERNELS": "baseline"], in: scratch)
        #expect(try first.json()["numeric_path"]?.stringValue?.hasPrefix("cpu-baseline") == true && !first.errors.contains("they differ by rounding"))
        let here = try #require(try Tool.run(words + ["--dry-run"], in: scratch).json()["numeric_path"]?.stringValue)
        let again = try Tool.run(words, in: scratch), path = try #require(try again.json()["numeric_path"]?.stringValue)
        #expect(try again.json()["cached"] == true)
        #expect(again.errors.contains("computed by \(path), and here would be by \(here)") == (path != here), "\(again.errors)")
    }

    @Test func aRunThatLearntNothingSaysSo() throws {
        let scratch = try Scratch.prepared(), words = Array(Self.adapt.dropLast()) + ["--replace", "--set", "epochs=4"]
        let still = try Tool.run(words + ["--set", "learning_rate=0"], in: scratch)
        #expect(still.output.contains("to every text, 0.5000: nothing was"), "\(still.output)")
        let learning = ["--set", "learning_rate=3e-3", "--set", "batch_size=8"]
        let moving = try Tool.run(words + learning, in: scratch)
        #expect(moving.status == 0 && !moving.output.contains("nothing was"), "\(moving.output)")
        let json = try Tool.run(Self.adapt + ["--replace", "--set", "epochs=4"] + learning, in: scratch).json()
        // As many films are good as are bad.
        #expect(abs(try #require(json["constant_loss"]?.doubleValue) - 0.6931) < 1e-4)
    }

    @Test func aSearchIsSummedUp() throws {
        let scratch = try Scratch.prepared(), words = Array(Self.adapt.dropLast()) + ["--replace", "--recipe", "adamsls", "--set", "steps=3"]
        let refusing = words + ["--set", "max_trials=2", "--set", "initial_step=9", "--set", "rejection_shrink=0"]
        let still = try Tool.run(refusing, in: scratch)
        #expect(still.output.contains("2.00 forward passes a step, 3 of 3 steps rejected, last step size 9"), "\(still.output)")
        #expect(still.output.contains("Every step was rejected, and no weight has moved") && !still.output.contains("learning_rate"), "\(still.output)")
        let json = try Tool.run(refusing + ["--json"], in: scratch).json()
        try SchemaChecker("adapt").check(json)
        #expect(json["search"] == [
            "searched": 3, "rejected": 3, "increases": 0, "merges": 0, "forward_passes": 6, "backtracks": 6, "step_sizes": .array([.number(9)]),
        ])
        #expect(try Tool.run(Self.adapt + ["--replace"], in: scratch).json()["search"] == .null)
        let byUnits = words.map { $0 == "adamsls" ? "plasls" : $0 } + ["--set", "joint_steps=1"]
        let each = try Tool.run(byUnits + ["--json"], in: scratch).json()
        #expect(each["search"]?["step_sizes"]?.arrayValue?.count == 4 && each["search"]?["merges"] == 0)
        let log = scratch.path("log.jsonl")
        let merging = try Tool.run(byUnits + ["--set", "merge_threshold=100", "--log", log], in: scratch)
        #expect(merging.output.contains("2 merges of units"), "\(merging.output)")
        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
        for line in lines { try SchemaChecker("log").check(line) }
        #expect(lines.count { $0["search"]?["merged"] != nil } == 2)
    }

    @Test func aBatchOfMoreExamplesThanThereAreIsSaid() throws {
        let scratch = try Scratch.prepared()
        let large = try Tool.run(Self.adapt + ["--set", "batch_size=51", "--set", "steps=1"], in: scratch)
        #expect(large.status == 0 && large.errors.contains("batch_size is 51 and there are 50 examples"), "\(large.errors)")
        let whole = try Tool.run(Self.adapt + ["--set", "batch_size=50", "--set", "steps=1", "--replace"], in: scratch)
        #expect(whole.status == 0 && !whole.errors.contains("batch_size"), "\(whole.errors)")
    }

    @Test(arguments: ["[[[0, 50]]]", "[[[-1]]]", "[[[0.5]]]", "[[]]", "[0]", "{}", "[[[0]"])
    func anOrderThatIsNoneIsRefused(text: String) throws {
        let scratch = try Scratch.prepared()
        let order = try scratch.write(text, "order.json")
        let outcome = try Tool.run(Self.adapt + ["--order", order], in: scratch)
        #expect(outcome.status == 65, "\(outcome.errors)")
        #expect(outcome.errors.hasPrefix("error: "))
        #expect(outcome.output.isEmpty)
    }

    @Test func aLogThatCannotBeWrittenIsToldBeforeTheWorkBegins() throws {
        let scratch = try Scratch.prepared()
        let outcome = try Tool.run(Self.adapt + ["--log", scratch.path("no/such/folder.jsonl")], in: scratch)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("folder.jsonl"))
        #expect(try scratch.json("store", "list", "--kind", "run")["artifacts"] == [])
    }
}
