import Testing

@testable import PipelineTool

@Suite struct TextTableTests {
    @Test func columnsStandStraight() {
        var table = TextTable([.left, .right])
        table.add("a", "1")
        table.add("long", "100")
        #expect(table.text == "  a        1\n  long   100\n")
    }
}
