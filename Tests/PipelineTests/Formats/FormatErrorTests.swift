import Testing

@testable import Pipeline

@Suite struct FormatErrorTests {
    @Test func `the message names the place, the fault and the way out on one line`() {
        let error = FormatError(
            .fieldCount, file: "train.tsv", line: 3, column: "label", "the number of fields is wrong", expected: "2",
            found: "a\nb\u{1B}[31m", advice: "Use tabs.")
        #expect(
            error.description
                == "train.tsv, line 3, \"label\": the number of fields is wrong "
                    + "(expected 2, found a\\u{a}b\\u{1b}[31m). Use tabs."
        )
    }

    @Test func `text from the file is shortened`() {
        let error = FormatError(.unknownLabel, file: "a", "b", found: String(repeating: "x", count: 1000))
        #expect(error.found?.count == 121)
    }

    @Test func `every reason has a code of its own`() {
        let codes = FormatReason.allCases.map(\.rawValue)
        #expect(Set(codes).count == codes.count)
        #expect(
            codes.allSatisfy {
                $0.utf8.allSatisfy { $0 == 0x2D || (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
            })
    }
}
