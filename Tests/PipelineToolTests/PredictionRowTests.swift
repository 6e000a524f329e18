import Testing

@testable import PipelineTool

@Suite struct PredictionRowTests {
    @Test(arguments: [
        (["good"], false, "good"), (["good, but long"], false, "good, but long"), (["a", "b"], true, "a,b"), ([], true, ""),
        (["a,b"], true, #"["a,b"]"#), (["a", "b,\"c"], true, #"["a","b,\"c"]"#), (["[a]"], true, #"["[a]"]"#),
    ] as [([String], Bool, String)])
    func labelsAreOneFieldThatCanBeCutAgain(labels: [String], isMultiLabel: Bool, text: String) {
        #expect(PredictionRow(labels: labels, probabilities: [], value: nil, logits: []).text(isMultiLabel: isMultiLabel) == text)
    }

    @Test func aValueIsItself() {
        #expect(PredictionRow(labels: [], probabilities: nil, value: 2.5, logits: [2.5]).text(isMultiLabel: false) == "2.5")
    }
}
