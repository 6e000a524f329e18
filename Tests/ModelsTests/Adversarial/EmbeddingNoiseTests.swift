import Tensors
import Testing

@testable import Models

/// Noise on the embeddings as a part of the model's passes.
struct EmbeddingNoiseTests {
    static let dropout = DropoutRates(hidden: 0.1, attention: 0.1, classifier: 0.2, seed: 7, step: 1)

    private func noise<Scalar: BinaryFloatingPoint>(_ count: Int, _ size: Double) -> UnsafeMutablePointer<Scalar> {
        let values = UnsafeMutablePointer<Scalar>.allocate(capacity: count)
        for i in 0..<count { values[i] = Scalar(size * (Double((i * 2_654_435_761) % 1000) / 1000 - 0.5)) }
        return values
    }

    @Test("its gradient equals central differences, dropout on", arguments: NoisePlace.allCases, ["bert-four-heads", "roberta-regression"])
    func gradient(place: NoisePlace, name: String) throws {
        let golden = try Golden(name), bench = AdversarialBench(golden, ReferenceBackend<Double>())
        let batch = golden.batch(), rows = Array(golden.ids.indices)
        golden.fill(batch, rows)
        let count = batch.tokenCount * golden.configuration.hiddenSize
        let values: UnsafeMutablePointer<Double> = noise(count, 0.2)
        defer { values.deallocate() }
        func loss() -> Double {
            bench.model.forward(bench.weights, owner: bench.owner, batch, dropout: Self.dropout, noise: EmbeddingNoise(place, values))
            return bench.model.loss(normalizer: 1)
        }
        _ = loss()
        let d = try #require(bench.model.backward(into: nil))
        let gradient = Array(UnsafeBufferPointer(start: d, count: count))
        #expect(gradient.contains { $0 != 0 })
        for i in stride(from: 0, to: count, by: 7) {
            let before = values[i], step = 1e-5
            values[i] = before + step
            let above = loss()
            values[i] = before - step
            let below = loss()
            values[i] = before
            #expect(abs((above - below) / (2 * step) - gradient[i]) <= 1e-7, "element \(i)")
        }
    }

    @Test("comes out alike with and without gradients of weights, frozen or not", arguments: NoisePlace.allCases)
    func besidesWeights(place: NoisePlace) throws {
        let golden = try Golden("bert-four-heads"), bench = AdversarialBench(golden, CPUBackend(threads: 2))
        let batch = golden.batch(), rows = Array(golden.ids.indices)
        golden.fill(batch, rows)
        let count = batch.tokenCount * golden.configuration.hiddenSize
        let values: UnsafeMutablePointer<Float> = noise(count, 0.2), target = Parameters(layout: bench.model.layout)
        defer { values.deallocate() }
        func run(_ gradient: Parameters?, frozen: Set<ParameterUnit>) throws -> [Float] {
            gradient?.fill(0)
            bench.model.forward(bench.weights, owner: bench.owner, batch, dropout: Self.dropout, noise: EmbeddingNoise(place, values))
            _ = bench.model.loss(normalizer: 1)
            let d = try #require(bench.model.backward(into: gradient?.pointer, frozen: frozen, reachesNoise: true))
            return Array(UnsafeBufferPointer(start: d, count: count))
        }
        let alone = try run(nil, frozen: [])
        #expect(try run(target, frozen: []) == alone)
        let words = target["bert.embeddings.word_embeddings.weight"].map { $0 }
        #expect(words.contains { $0 != 0 })
        // The weights' gradient is the one that a pass which does not reach for the noise gives.
        let plain = Parameters(layout: bench.model.layout)
        bench.model.forward(bench.weights, owner: bench.owner, batch, dropout: Self.dropout, noise: EmbeddingNoise(place, values))
        _ = bench.model.loss(normalizer: 1)
        #expect(bench.model.backward(into: plain.pointer) == nil)
        for i in 0..<plain.count { #expect(plain.pointer[i] == target.pointer[i]) }
        let frozen: Set<ParameterUnit> = [.embeddings, .block(0)]
        #expect(try run(target, frozen: frozen) == alone)
        for entry in target.layout.entries { #expect(target[entry].allSatisfy { $0 == 0 } == frozen.contains(entry.unit), "\(entry.name)") }
    }

    @Test("of zero changes no bit", arguments: NoisePlace.allCases, CPUBackend.InstructionSet.available)
    func zero(place: NoisePlace, set: CPUBackend.InstructionSet) throws {
        let golden = try Golden("bert-three-heads"), bench = AdversarialBench(golden, CPUBackend(threads: 2, instructionSet: set))
        let batch = golden.batch()
        golden.fill(batch, Array(golden.ids.indices))
        let values: UnsafeMutablePointer<Float> = noise(batch.tokenCount * golden.configuration.hiddenSize, 0)
        defer { values.deallocate() }
        func run(_ noise: EmbeddingNoise<Float>?) -> [Float] {
            let gradient = Parameters(layout: bench.model.layout)
            let logits = bench.model.forward(bench.weights, owner: bench.owner, batch, dropout: Self.dropout, noise: noise)
            let outputs = (0..<batch.sequenceCount * golden.head.outputs).map { logits[$0] }
            _ = bench.model.loss(normalizer: 3)
            bench.model.backward(into: gradient)
            return outputs + UnsafeBufferPointer(start: gradient.pointer, count: gradient.count)
        }
        let isSame = run(EmbeddingNoise(place, values)).elementsEqual(run(nil)) { $0.bitPattern == $1.bitPattern }
        #expect(isSame)
    }

    @Test("a pass waits in its set of activations while another goes through the model")
    func sets() throws {
        let golden = try Golden("bert-four-heads"), bench = AdversarialBench(golden, CPUBackend(threads: 2))
        let model = bench.model, first = golden.batch(), second = golden.batch()
        golden.fill(first, [0, 1, 2])
        golden.fill(second, [3, 4], firstExample: 3)
        func gradient(_ body: (B) -> Void) -> [Float] {
            let gradient = Parameters(layout: model.layout)
            body(gradient.pointer)
            return Array(UnsafeBufferPointer(start: gradient.pointer, count: gradient.count))
        }
        typealias B = UnsafeMutablePointer<Float>
        func pass(_ batch: PackedBatch) {
            model.forward(bench.weights, owner: bench.owner, batch, dropout: Self.dropout)
            _ = model.loss(normalizer: 5)
        }
        let apart = gradient { target in
            for batch in [first, second] {
                pass(batch)
                model.backward(into: target)
            }
        }
        let together = gradient { target in
            pass(first)
            model.activationSet = 1
            pass(second)
            model.activationSet = 0
            model.backward(into: target)
            model.activationSet = 1
            model.backward(into: target)
            model.activationSet = 0
        }
        #expect(together == apart)
        #expect(SequenceModel(golden.configuration, golden.head, backend: bench.backend, tokenCapacity: 400, sequenceCapacity: 80,
                              trains: true).workspaceByteCount < model.workspaceByteCount)
    }
}
