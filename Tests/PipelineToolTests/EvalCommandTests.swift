import Foundation
import Store
import Testing

@Suite struct EvalCommandTests {
    /// A task in RTE's official layout, of the tiny model's words.
    private static func entailment(_ scratch: Scratch) throws -> String {
        let pairs = [
            ("the film was good", "the movie was great", "entailment"),
            ("the day was dark", "the day was light", "not_entailment"),
        ]
        let rows = (0..<8).map { (i: Int) in (i, pairs[i % 2]) }
        let labelled =
            "index\tsentence1\tsentence2\tlabel\n" + rows.map { "\($0)\t\($1.0)\t\($1.1)\t\($1.2)\n" }.joined()
        _ = try scratch.write(labelled, "RTE/train.tsv")
        _ = try scratch.write(labelled, "RTE/dev.tsv")
        _ = try scratch.write(
            "index\tsentence1\tsentence2\n" + rows.map { "\($0 + 100)\t\($1.0)\t\($1.1)\n" }.joined(), "RTE/test.tsv")
        return scratch.path("RTE")
    }

    @Test func predictionsAndSubmissionsAreWrittenForAGLUETask() throws {
        let scratch = try Scratch.prepared()
        try scratch.run(
            "prepare", "--task", "rte", "--data", Self.entailment(scratch), "--model", "tiny", "--name", "rte")
        try scratch.run(
            "adapt", "--model", "tiny", "--data", "rte", "--name", "run", "--set", "learning_rate=1e-3", "--set",
            "epochs=30", "--set", "batch_size=4")
        let test = try scratch.json(
            "eval", "run", "--split", "test", "--predictions", scratch.path("test.tsv"), "--submission",
            scratch.path("RTE.tsv"))
        #expect(test["metrics"] == [:])
        #expect(test["examples"] == 8)
        let table = try String(contentsOfFile: scratch.path("test.tsv"), encoding: .utf8).split(separator: "\n").map {
            $0.split(separator: "\t").map(String.init)
        }
        #expect(table[0] == ["index", "prediction", "line", "entailment", "not_entailment"])
        #expect(table.dropFirst().map { $0[0] } == (100..<108).map(String.init))
        #expect(table.dropFirst().map { $0[2] } == (2..<10).map(String.init))
        #expect(
            table.dropFirst().map { $0[1] } == (0..<8).map { $0 % 2 == 0 ? "entailment" : "not_entailment" },
            "the tiny task is learnt")
        for row in table.dropFirst() {
            #expect(abs(try #require(Double(row[3])) + (try #require(Double(row[4]))) - 1) < 1e-12)
        }
        let submission = try String(contentsOfFile: scratch.path("RTE.tsv"), encoding: .utf8)
        #expect(submission.hasPrefix("index\tprediction\n100\tentailment\n101\tnot_entailment\n"))

        let refused = try scratch.failure("eval", "run", "--split", "dev", "--submission", scratch.path("dev.tsv"))
        #expect(refused.status == 64)
        #expect(refused.errors.contains("--split test"))
        #expect(!FileManager.default.fileExists(atPath: scratch.path("dev.tsv")))
    }

    @Test func theDefinitionOfTheMetricIsPrintedAndTheNextCommandSuggested() throws {
        let scratch = try Scratch.prepared()
        try scratch.run("adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=2")
        let text = try scratch.run("eval", "critic").output
        #expect(text.contains("dev accuracy"))
        #expect(text.contains("share"), "the definition: \(text)")
        #expect(text.contains("next: pipeline predict critic --text"))
        let quiet = try scratch.run("eval", "critic", "--quiet")
        #expect(!quiet.output.contains("next:"))
        #expect(quiet.errors.isEmpty)
    }

    @Test func aSplitThatIsNotThereIsRefusedNamingThoseThatAre() throws {
        let scratch = try Scratch.prepared()
        try scratch.run("adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=2")
        let refused = try scratch.failure("eval", "critic", "--split", "final", "--json")
        #expect(refused.status == 64)
        #expect(refused.errors.contains("train, dev, test"))
    }
}
