import Testing

@testable import PipelineTool

@Suite struct NumberTextTests {
    @Test func numbersAreWrittenForPeople() {
        #expect(
            [0, 7, 999, 1000, 1_234_567, -1000].map { NumberText.count($0) } == [
                "0", "7", "999", "1,000", "1,234,567", "-1,000",
            ])
        #expect(
            [0, 1023, 1024, 10_000, 5 << 30].map { NumberText.bytes($0) } == [
                "0 bytes", "1023 bytes", "1.0 KiB", "9.8 KiB", "5.0 GiB",
            ])
        #expect(
            [0.04, 9.94, 9.96, 59.4, 59.6, 187, 7384].map { NumberText.duration($0) } == [
                "0.0 s", "9.9 s", "10 s", "59 s", "1:00", "3:07", "2:03:04",
            ])
        #expect([Double.nan, .infinity, -1].map { NumberText.duration($0) } == ["?", "?", "?"])
        #expect([0.01234, 12.34, 4567].map { NumberText.rate($0) } == ["0.0123", "12.3", "4,567"])
        #expect(NumberText.percent(1, of: 8) == "12.5 %")
        #expect(NumberText.percent(0, of: 0) == "0.0 %")
        #expect(NumberText.metric(nil) == "undefined")
    }
}
