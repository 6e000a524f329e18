import Testing

@testable import PipelineTool

@Suite struct ShellTextTests {
    @Test func wordsAreQuotedWhereAShellWouldCutThem() {
        #expect(
            ShellText.command(["adapt", "--set", "betas=0.9,0.98", "a b", "", "it's"])
                == "pipeline adapt --set betas=0.9,0.98 'a b' '' 'it'\\''s'")
    }
}
