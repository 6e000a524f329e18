import Foundation
import Testing
import Optimizers
@testable import Pipeline

@Suite struct ConstantAnswerTests {
    /// The least of Σ wₖ·nₖ·(−log qₖ)/Σ w·n over answers (q, 1 − q), by trying them all.
    private func least(_ masses: [Double]) -> Double {
        (1..<10_000).map { step in
            let q = Double(step) / 10_000
            return -(masses[0] * log(q) + masses[1] * log(1 - q)) / (masses[0] + masses[1])
        }.min()!
    }

    @Test(arguments: [[:], ["class_weights": .list([1, 3])], ["class_weights": "balanced"]] as [[String: HyperparameterValue]])
    func `of two classes is the least loss that any fixed answer has`(values: [String: HyperparameterValue]) throws {
        let toy = try ToyStore.ready(), dataset = try PreparedDataset.find("toy", in: toy.store)
        let counts = dataset.splits[0].labelCounts.map { Double($0.examples) }
        try #require(counts[0] != counts[1])
        let weights: [Double] = switch values["class_weights"] {
        case .list?: [1, 3]
        case .text?: [1 / counts[0], 1 / counts[1]]
        default: [1, 1]
        }
        let loss = try #require(dataset.constantLoss(Recipe(values)))
        #expect(abs(loss - least(zip(counts, weights).map { $0 * $1 })) < 1e-6)
    }

    @Test func `of several labels is the mean over the labels, of a regression not known`() throws {
        let toy = try ToyStore.ready()
        try toy.prepare(ToyTask(kind: .regression), as: "numbers")
        try toy.prepare(ToyTask(kind: .multilabel), as: "several")
        #expect(try PreparedDataset.find("numbers", in: toy.store).constantLoss(Recipe([:])) == nil)
        let several = try PreparedDataset.find("several", in: toy.store), train = several.splits[0]
        let each = train.labelCounts.map { least([Double($0.examples), Double(train.examples - $0.examples)]) }
        #expect(abs(try #require(several.constantLoss(Recipe([:]))) - each.reduce(0, +) / Double(each.count)) < 1e-6)
        let weights = each.indices.map { Double($0 + 2) }
        let weighted = try several.constantLoss(Recipe(["class_weights": .list(weights.map { .real($0) })]))
        #expect(abs(try #require(weighted) - zip(each, weights).reduce(0) { $0 + $1.0 * $1.1 } / Double(each.count)) < 1e-6)
    }
}
