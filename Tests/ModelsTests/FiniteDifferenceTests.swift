import Models
import Tensors
import Testing

/// The hand-written backward pass against finite differences, in double on the reference backend.
struct FiniteDifferenceTests {
    /// Weights in double, kept alive as long as the model may read them.
    final class Weights {
        let pointer: UnsafeMutablePointer<Double>
        let count: Int
        init(_ count: Int) {
            self.count = count
            pointer = .allocate(capacity: count)
            pointer.initialize(repeating: 0, count: count)
        }
        deinit { pointer.deallocate() }
    }

    @Test("the gradient of every tensor equals central differences, dropout on", arguments: Golden.names)
    func gradients(name: String) throws {
        let golden = try Golden(name)
        let model = SequenceModel(golden.configuration, golden.head, backend: ReferenceBackend<Double>(), tokenCapacity: 64,
                                  sequenceCapacity: 8, trains: true)
        let weights = Weights(model.layout.count), gradient = Weights(model.layout.count)
        for entry in model.layout.entries {
            for (i, value) in golden.weights[entry.name]!.enumerated() { weights.pointer[entry.offset + i] = Double(value) }
        }
        let batch = golden.batch(), rows = Array(golden.ids.indices), normalizer = golden.normalizer(rows.count)
        golden.fill(batch, rows)
        let dropout = DropoutRates(hidden: 0.1, attention: 0.1, classifier: 0.2, seed: 7, step: 1)
        func loss() -> Double {
            model.forward(weights.pointer, owner: weights, batch, dropout: dropout)
            return model.loss(normalizer: normalizer) / normalizer
        }
        _ = loss()
        model.backward(into: gradient.pointer)
        for entry in model.layout.entries {
            // Along the gradient itself and along a fixed direction: both see every element of the tensor.
            var direction = (0..<entry.count).map { Double(($0 * 2_654_435_761) % 1000) / 1000 - 0.5 }
            let size = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
            direction = direction.map { $0 / size }
            let slope = direction.indices.reduce(0.0) { $0 + direction[$1] * gradient.pointer[entry.offset + $1] }
            let step = 1e-5
            func move(_ distance: Double) {
                for i in direction.indices { weights.pointer[entry.offset + i] += distance * direction[i] }
            }
            move(step)
            let above = loss()
            move(-2 * step)
            let below = loss()
            move(step)
            let difference = (above - below) / (2 * step)
            #expect(abs(difference - slope) <= 1e-6 * max(1, abs(slope)), "\(entry.name): \(difference) and \(slope)")
        }
    }

    @Test("the gradient of the embedding sum comes out when no weights are asked for")
    func embeddingGradient() throws {
        let golden = try Golden("bert-four-heads")
        let model = SequenceModel(golden.configuration, golden.head, backend: CPUBackend(threads: 2), tokenCapacity: 64,
                                  sequenceCapacity: 8, trains: true)
        let parameters = golden.parameters(model.layout), batch = golden.batch(), rows = Array(golden.ids.indices)
        golden.fill(batch, rows)
        model.forward(parameters, batch)
        _ = model.loss(normalizer: golden.normalizer(rows.count))
        let d = try #require(model.backward(into: nil))
        let expected = golden.expected["input_grad"]!
        let difference = norm(expected.enumerated().map { d[$0.offset] - $0.element })
        #expect(difference <= 1e-4 * norm(expected))
    }
}
