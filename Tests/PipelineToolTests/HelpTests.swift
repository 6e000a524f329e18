import Foundation
import Testing

@Suite struct HelpTests {
    private static let commands = [
        ["import"], ["prepare"], ["adapt"], ["eval"], ["predict"], ["export"], ["push"], ["pull"], ["tokenize"], ["recipes"], ["store"],
        ["store", "list"],
        ["store", "show"], ["store", "log"], ["store", "diff"], ["store", "tag"], ["store", "remove"], ["store", "usage"],
        ["store", "retention"], ["store", "gc"], ["store", "verify"], ["store", "repair"], ["store", "rebuild-index"], ["store", "compress"],
        ["bench"], ["bench", "step"], ["bench", "kernels"], ["bench", "lengths"], ["bench", "optimizer"], ["bench", "tokenizer"],
        ["bench", "store"],
    ]

    @Test(arguments: commands)
    func everyCommandShowsAnExampleOfItself(command: [String]) throws {
        let scratch = try Scratch()
        let help = try Tool.run(command + ["--help"], in: scratch)
        #expect(help.status == 0)
        #expect(help.errors.isEmpty)
        let isAnExample = { (line: Substring) in
            line.hasPrefix("  ") && line.contains("pipeline " + command.joined(separator: " "))
        }
        #expect(help.output.split(separator: "\n").contains(where: isAnExample))
    }

    @Test func withoutACommandTheToolExplainsItself() throws {
        let scratch = try Scratch()
        let help = try Tool.run([], in: scratch)
        #expect(help.status == 0)
        for command in Self.commands where command.count == 1 { #expect(help.output.contains("  " + command[0])) }
        #expect(try Tool.run(["--version"], in: scratch).output.hasPrefix("0."))
    }
}
