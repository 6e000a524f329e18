import Foundation
import Store
import Testing

@Suite struct PredictCommandTests {
    private static func critic() throws -> Scratch {
        let scratch = try Scratch.prepared()
        try scratch.run("adapt", "--model", "tiny", "--data", "films", "--name", "critic", "--set", "steps=2")
        return scratch
    }

    @Test func aTextMayBeginWithADashAndIsAnsweredWithProbabilities() throws {
        let scratch = try Self.critic()
        let answer = try scratch.json("predict", "critic", "--text", "-- good film --")
        let prediction = try #require(answer["predictions"]?.arrayValue?.first)
        let probabilities = try #require(prediction["probabilities"]?.objectValue).mapValues { $0.doubleValue ?? .nan }
        #expect(Set(probabilities.keys) == ["negative", "positive"])
        #expect(abs(probabilities.values.reduce(0, +) - 1) < 1e-12)
        let logits = try #require(prediction["logits"]?.arrayValue).compactMap(\.doubleValue)
        #expect(abs(log(probabilities["positive"]! / probabilities["negative"]!) - (logits[1] - logits[0])) < 1e-6)
        let text = try scratch.run("predict", "critic", "--text", "a good film").output
        #expect(text.contains("negative") && text.contains("positive") && text.contains("next: pipeline export critic"))
    }

    @Test func linesOfStandardInputAreAnsweredAsATable() throws {
        let scratch = try Self.critic()
        let lines = Array(repeating: "the film was good", count: 1500).joined(separator: "\n")
        let rows = try scratch.run("predict", "critic", "--input", "-", input: lines).output.split(separator: "\n").map
        { $0.split(separator: "\t") }
        #expect(rows[0] == ["index", "prediction", "negative", "positive"])
        #expect(rows.count == 1501)
        #expect(rows[1501 - 1][0] == "1499")
        #expect(
            rows.dropFirst().allSatisfy { $0[2...] == rows[1][2...] }, "a text's answer does not depend on its place")
    }

    @Test(arguments: [("the film\twas good\n", "line 1"), ("good\nthe \u{0}film\n", "line 2")])
    func aLineThatDoesNotFitIsRefusedWithItsNumber(input: String, named: String) throws {
        let scratch = try Self.critic()
        let outcome = try Tool.run(["predict", "critic", "--input", "-", "--json"], input: input, in: scratch)
        #expect(outcome.status == 65)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.contains(named), "\(outcome.errors)")
    }

    @Test func linesBeforeOneThatIsRefusedAreAnswered() throws {
        let scratch = try Self.critic()
        let outcome = try Tool.run(["predict", "critic", "--input", "-"], input: "good\nbad\nthe film\twas good\nbad\n", in: scratch)
        #expect(outcome.status == 65 && outcome.errors.contains("line 3"))
        #expect(outcome.output.split(separator: "\n").map { $0.prefix { $0 != "\t" } } == ["index", "0", "1"])
    }

    @Test func aBareEncoderCannotPredict() throws {
        let scratch = try Scratch.prepared()
        let outcome = try scratch.failure("predict", "tiny", "--text", "a film")
        #expect(outcome.status == 65)
        #expect(outcome.errors.contains("pipeline adapt"))
    }
}
