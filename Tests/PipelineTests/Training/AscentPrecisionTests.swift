import Foundation
import Models
import Store
import Tensors
import Testing

@testable import Pipeline

/// What noise climbs with in bfloat16 points where it does in float32. For a model and data of one's own, and the figures:
///
///     ASCENT_STORE=FOLDER ASCENT_MODEL=NAME ASCENT_DATA=NAME swift test -c release --filter AscentPrecisionTests
@Suite struct AscentPrecisionTests {
    /// - Returns: `owner` keeps the folder of a store that is made for the test.
    private static func open() throws -> (owner: AnyObject?, store: Store, model: String, data: String) {
        let environment = ProcessInfo.processInfo.environment
        guard let path = environment["ASCENT_STORE"] else {
            let toy = try ToyStore.ready(ToyTask())
            return (toy, toy.store, "tiny", "toy")
        }
        return (nil, try Store(at: URL(fileURLWithPath: path), mode: .readOnly),
                try #require(environment["ASCENT_MODEL"]), try #require(environment["ASCENT_DATA"]))
    }

    /// Gradients of the losses by the word vectors, example by example, without dropout.
    private static func gradients(_ stored: StoredModel, _ dataset: PreparedDataset, _ data: TokenSplit, count: Int, precision: Precision) throws -> [[Float]] {
        let model = SequenceModel(
            stored.description.configuration, HeadConfiguration(dataset.task), backend: CPUBackend(precision: precision),
            tokenCapacity: data.longest, sequenceCapacity: 1, trains: true)
        let weights = Parameters(layout: model.layout)
        let missing = try stored.load(into: weights)
        WeightInitialization.fill(weights, names: missing, deviation: stored.description.configuration.initializerRange, seed: 3)
        let batch = PackedBatch(tokenCapacity: data.longest, sequenceCapacity: 1, configuration: model.configuration, outputs: model.head.outputs)
        return try (0..<count).map { example in
            batch.removeAll()
            data.append(example, to: batch, counter: 0)
            model.forward(weights, batch)
            _ = model.loss(normalizer: 1)
            let gradient = try #require(model.backward(into: nil))
            return Array(UnsafeBufferPointer(start: gradient, count: batch.tokenCount * model.configuration.hiddenSize))
        }
    }

    @Test func `the gradient that noise climbs points in one direction in both precisions`() throws {
        let (owner, store, model, data) = try Self.open()
        defer { withExtendedLifetime(owner) {} }
        let stored = try StoredModel.find(model, in: store), dataset = try PreparedDataset.find(data, in: store)
        let split = try dataset.load(split: "train", from: store, for: stored)
        let count = min(split.count, 200)
        let exact = try Self.gradients(stored, dataset, split, count: count, precision: .fp32)
        let rounded = try Self.gradients(stored, dataset, split, count: count, precision: .bf16)
        func product(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
        let cosines = zip(exact, rounded).map { product($0, $1) / (product($0, $0) * product($1, $1)).squareRoot() }.sorted()
        print("cosines of \(count) ascent gradients: least \(cosines[0]), median \(cosines[count / 2])")
        #expect(cosines[0] > 0.99 && cosines[0] < 1 && exact != rounded)
    }
}
