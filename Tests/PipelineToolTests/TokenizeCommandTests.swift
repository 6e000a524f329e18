import Foundation
import Store
import Testing

@Suite struct TokenizeCommandTests {
    @Test func everyLineGivesOneArrayAndATabMakesAPair() throws {
        let scratch = try Scratch.prepared()
        let vocabulary = try String(contentsOf: Repository.file("Fixtures/models/tiny-bert/vocab.txt"), encoding: .utf8)
            .split(separator: "\n").map(String.init)
        func ids(_ tokens: String) throws -> String {
            "["
                + (try tokens.split(separator: " ").map { String(try #require(vocabulary.firstIndex(of: String($0)))) }
                    .joined(separator: ",")) + "]\n"
        }
        let text = "The film was GOOD\nthe film\tthe movie\n\nfilming"
        let expected =
            try ids("[CLS] the film was good [SEP]") + ids("[CLS] the film [SEP] the movie [SEP]") + ids("[CLS] [SEP]")
            + ids("[CLS] film ##ing [SEP]")
        #expect(try scratch.run("tokenize", "tiny", input: text).output == expected)
        let file = try scratch.write(text, "text.txt")
        #expect(try scratch.run("tokenize", "tiny", "--input", file).output == expected)
        let json = try scratch.json("tokenize", "tiny", input: text)
        #expect(json["lines"] == 4)
        #expect(try (json["ids"]?.arrayValue ?? []).map { try $0.canonicalText() + "\n" }.joined() == expected)
    }

    @Test func controlCharactersAreTextLikeAnyOther() throws {
        let scratch = try Scratch.prepared()
        let lines = try scratch.run("tokenize", "tiny", input: "\u{FEFF}the film\r\nthe \0film\nthe film").output.split(separator: "\n")
        #expect(lines.count == 3 && Set(lines).count == 1, "BERT's normaliser removes them")
    }

    @Test func manyLinesKeepTheirOrder() throws {
        let scratch = try Scratch.prepared()
        let count = 30_000
        let text = (0..<count).map { $0 % 3 == 0 ? "the film" : "good \($0 % 10)" }.joined(separator: "\n")
        let lines = try scratch.run("tokenize", "tiny", input: text).output.split(separator: "\n")
        #expect(lines.count == count)
        for index in stride(from: 0, to: count, by: 3) where lines[index] != lines[0] {
            Issue.record("line \(index) is \(lines[index])")
        }
    }

    @Test func textThatIsNotUTF8IsRefusedWithItsLine() throws {
        let scratch = try Scratch.prepared()
        let file = scratch.path("bad.txt")
        try (Data("the film\nthe ".utf8) + Data([0xff, 0xfe, 0x0a])).write(to: URL(fileURLWithPath: file))
        let outcome = try Tool.run(["tokenize", "tiny", "--input", file], in: scratch)
        #expect(outcome.status == 65)
        #expect(outcome.errors.contains("bad.txt") && outcome.errors.contains("line 2"))
    }

    @Test func aReaderThatGoesAwayIsNoFailure() throws {
        let scratch = try Scratch.prepared()
        let file = try scratch.write(String(repeating: "the film was good\n", count: 200_000), "long.txt")
        let script = "\"$0\" tokenize tiny --input \"$1\" | head -n 1; exit ${PIPESTATUS[0]}"
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/bash")
        shell.arguments = ["-c", script, Tool.url.path, file]
        shell.environment = ProcessInfo.processInfo.environment.merging(["PIPELINE_STORE": scratch.store.path]) { $1 }
        let errors = Pipe()
        shell.standardOutput = Pipe()
        shell.standardError = errors
        try shell.run()
        shell.waitUntilExit()
        #expect(shell.terminationStatus == 0)
        #expect(shell.terminationReason == .exit)
        #expect(errors.fileHandleForReading.readDataToEndOfFile().isEmpty)
    }
}
