import Testing

@testable import Tokenizers

@Suite struct PairTemplateTests {
    @Test("Truncation keeps to the limit, takes from the longer text only and shares out what is left evenly")
    func truncation() {
        for first in 0..<12 {
            for second in 0..<12 {
                for limit in 0..<26 {
                    let kept = truncatedCounts(first, second, limit: limit)
                    #expect(kept.first + kept.second == min(first + second, limit))
                    #expect(kept.first <= first && kept.second <= second)
                    if kept.first < first && kept.second < second { #expect(abs(kept.first - kept.second) <= 1) }
                    if kept.first < first && kept.second == second { #expect(kept.first + 1 >= second) }
                    if kept.second < second && kept.first == first { #expect(kept.second + 1 >= first) }
                }
            }
        }
    }

    /// Lengths by tokenizers 0.23.3 with `enable_truncation` on pairs of single-letter words.
    @Test("An odd place goes to the longer text, to the second of two equal ones")
    func oddPlaces() {
        #expect(truncatedCounts(6, 5, limit: 1) == (1, 0))
        #expect(truncatedCounts(6, 5, limit: 3) == (2, 1))
        #expect(truncatedCounts(5, 5, limit: 3) == (1, 2))
        #expect(truncatedCounts(5, 6, limit: 3) == (1, 2))
        #expect(truncatedCounts(9, nil, limit: 3) == (3, 0))
    }

    @Test("A template must name each of its texts exactly once")
    func completeness() {
        var template = PairTemplate.bert(cls: 1, sep: 2)
        #expect(template.isComplete && template.addedCount(isPair: true) == 3)
        template.single.append(.first(type: 0))
        #expect(!template.isComplete)
        template = .roberta(cls: 1, sep: 2)
        #expect(template.isComplete && template.addedCount(isPair: true) == 4)
        template.pair.removeAll { $0.content == .second }
        #expect(!template.isComplete)
    }
}
