import Foundation
import Store
import Testing

@Suite struct PrepareCommandTests {
    @Test func theStatisticsShowSplitsBalanceLengthsAndWhatIsTruncated() throws {
        let scratch = try Scratch.prepared()
        let data = try Films.write(to: scratch)
        let text = try scratch.run(
            "prepare", "--task", "classification", "--data", data, "--model", "tiny", "--name", "short", "--max-length",
            "6"
        ).output
        for word in [
            "train", "dev", "test", "negative", "positive", "50.0 %", "100.0 %", "truncated", "▪",
            "next: pipeline adapt --model tiny --data short --name RUN",
        ] {
            #expect(text.contains(word), "\(word) in \(text)")
        }
        let json = try scratch.json("store", "show", "short")
        let split = try #require(json["manifest"]?["attributes"]?["splits"]?.arrayValue?.first)
        #expect(split["truncated"] == 50)
        #expect(split["longest"] == 6)
    }

    @Test func ownDataOfEveryFormatAndKindIsTaken() throws {
        let scratch = try Scratch.prepared()
        let csv = try scratch.write("a,b,score\n\"the film, again\",the movie,4.5\ndull,dark,1\n", "pairs.csv")
        let regression = try scratch.json(
            "prepare", "--task", "pair-regression", "--data", csv, "--model", "tiny", "--name", "pairs",
            "--text-column", "a", "--pair-column", "b")
        #expect(regression["labels"] == [])
        #expect(regression["pairs"] == true)
        try scratch.run(
            "adapt", "--model", "tiny", "--data", "pairs", "--name", "score", "--set", "steps=2", "--set",
            "batch_size=2")
        let answer = try scratch.json("predict", "score", "--text", "the film", "--pair", "the movie")
        #expect(answer["predictions"]?.arrayValue?.first?["value"]?.doubleValue != nil)
        try SchemaChecker("predict").check(answer)
        #expect(try scratch.failure("predict", "score", "--text", "the film").status == 64)

        let lines = try scratch.write(
            "{\"text\": \"good fun\", \"labels\": [\"good\", \"fun\"]}\n{\"text\": \"dull\", \"labels\": []}\n",
            "tags.jsonl")
        let tags = try scratch.json(
            "prepare", "--task", "multilabel", "--data", lines, "--model", "tiny", "--name", "tags", "--labels",
            "good,fun,sad")
        #expect(tags["labels"] == ["good", "fun", "sad"])
        try scratch.run(
            "adapt", "--model", "tiny", "--data", "tags", "--name", "tagger", "--set", "steps=2", "--set",
            "batch_size=2")
        let tagged = try scratch.json("predict", "tagger", "--text", "good fun")
        try SchemaChecker("predict").check(tagged)
        #expect(tagged["predictions"]?.arrayValue?.first?["probabilities"]?.objectValue?.count == 3)
        #expect(try scratch.run("predict", "tagger", "--text", "good fun").status == 0)
    }
}
