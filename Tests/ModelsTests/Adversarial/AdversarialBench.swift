import Tensors

@testable import Models

/// A tiny model on a backend, and evaluations of a pass over its batch.
final class AdversarialBench<B: Backend> {
    let golden: Golden
    let model: SequenceModel<B>
    let backend: B
    let owner: Buffer
    private let batch: PackedBatch

    init(_ golden: Golden, _ backend: B, sets: Int = 2, tokens: Int = 400, sequences: Int = 80) {
        (self.golden, self.backend) = (golden, backend)
        model = SequenceModel(golden.configuration, golden.head, backend: backend, tokenCapacity: tokens, sequenceCapacity: sequences,
                              trains: true, activationSets: sets)
        owner = Buffer(byteCount: model.layout.count * MemoryLayout<B.Scalar>.stride)
        batch = PackedBatch(tokenCapacity: tokens, sequenceCapacity: sequences, configuration: golden.configuration,
                            outputs: golden.head.outputs)
        for entry in model.layout.entries {
            for (i, value) in golden.weights[entry.name]!.enumerated() { weights[entry.offset + i] = B.Scalar(value) }
        }
    }

    var weights: B.Target { owner.pointer.assumingMemoryBound(to: B.Scalar.self) }

    struct Result {
        var loss: Double
        /// By every parameter, flat.
        var gradient: [B.Scalar]
    }

    /// Evaluates a pass over `rows` of the golden's batch, cut into micro-batches of at most `size` sequences.
    func evaluate(
        _ pass: some TrainingPass<B>, rows: [Int]? = nil, size: Int = .max, step: Int = 0, dropout: DropoutRates? = nil,
        classWeights: [Float]? = nil, frozen: Set<ParameterUnit> = [], differentiates: Bool = true,
        eachMicroBatch: (PackedBatch) -> Void = { _ in }
    ) throws -> Result {
        let rows = rows ?? Array(golden.ids.indices)
        let gradient = B.Target.allocate(capacity: model.layout.count)
        gradient.initialize(repeating: 0, count: model.layout.count)
        defer { gradient.deallocate() }
        var normalizer = golden.normalizer(rows.count)
        if let classWeights, golden.head.loss == .crossEntropy {
            normalizer = rows.reduce(0) { $0 + Double(classWeights[golden.labels[$1] as! Int]) }
        }
        var total = 0.0
        try pass.begin(step: step, differentiates: differentiates)
        for start in stride(from: 0, to: rows.count, by: min(size, rows.count)) {
            golden.fill(batch, Array(rows[start..<min(start + min(size, rows.count), rows.count)]), firstExample: start)
            let micro = MicroBatch<B>(weights: weights, owner: owner, batch: batch, dropout: dropout, classWeights: classWeights,
                                      normalizer: normalizer, exampleCount: rows.count)
            total += pass.evaluate(micro, into: differentiates ? gradient : nil, frozen: frozen)
            eachMicroBatch(batch)
        }
        return Result(loss: total / normalizer, gradient: Array(UnsafeBufferPointer(start: gradient, count: model.layout.count)))
    }

    func tensor(_ name: String, of gradient: [B.Scalar]) -> ArraySlice<B.Scalar> { gradient[model.layout[name]!.range] }
}

/// ‖a − b‖₂ / ‖b‖₂
func distance<A: BinaryFloatingPoint, B: BinaryFloatingPoint>(_ a: some Sequence<A>, _ b: some Sequence<B>) -> Double {
    var difference = 0.0, size = 0.0
    for (x, y) in zip(a, b) {
        difference += (Double(x) - Double(y)) * (Double(x) - Double(y))
        size += Double(y) * Double(y)
    }
    return (difference / max(size, .leastNormalMagnitude)).squareRoot()
}
