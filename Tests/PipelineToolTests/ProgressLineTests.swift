import Testing

@testable import PipelineTool

@Suite struct ProgressLineTests {
    private let line = ProgressLine(
        title: "adapt", fraction: 0.5,
        fields: ["step 5/10", "loss 0.4", "1:00 left", "100 examples/s", "2,000 tokens/s"])

    @Test func aWideTerminalShowsEverythingAndANarrowOneTheMostImportant() {
        #expect(
            line.drawn(columns: 120, hasColor: false)
                == "adapt  " + String(repeating: "━", count: 15) + String(repeating: "─", count: 15)
                + "  50 %  step 5/10  loss 0.4  1:00 left  100 examples/s  2,000 tokens/s")
        let narrow = line.drawn(columns: 50, hasColor: false)
        #expect(narrow.contains("loss 0.4") && !narrow.contains("tokens/s"))
    }

    @Test func theLineFitsIntoEveryWidth() {
        for columns in 1...200 { #expect(line.drawn(columns: columns, hasColor: false).count <= max(0, columns - 1)) }
    }

    @Test func aFractionOutsideItsRangeIsDrawnAtTheEdge() {
        var line = line
        line.fraction = 1.5
        #expect(!line.drawn(columns: 80, hasColor: false).contains("─"))
        line.fraction = -1
        #expect(!line.drawn(columns: 80, hasColor: false).contains("━"))
    }

    @Test func colourIsUsedOnlyWhereItIsWanted() {
        #expect(line.drawn(columns: 80, hasColor: true).contains("\u{1b}["))
        #expect(!line.drawn(columns: 80, hasColor: false).contains("\u{1b}"))
    }
}
