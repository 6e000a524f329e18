import Tensors

/// What the methods are made of.
extension AdversarialPass {
    func noiseAt(_ values: Device.Source) -> EmbeddingNoise<Device.Scalar> {
        EmbeddingNoise(settings.noise.place, values)
    }

    /// The sequences that have noise: the micro-batch itself where all have.
    func climbing(_ batch: PackedBatch) -> PackedBatch {
        guard rowCount < batch.sequenceCount, let part else { return batch }
        part.removeAll()
        for i in 0..<rowCount { part.append(sequence: rows[i], of: batch) }
        return part
    }

    /// Calls `body(i, b, first, length)` for the i-th sequence that climbs: number b of `batch`, whose noise begins at `first`.
    func eachRow(of batch: PackedBatch, _ body: (_ i: Int, _ b: Int, _ first: Int, _ length: Int) -> Void) {
        for i in 0..<rowCount {
            let b = batch === part ? i : rows[i], first = Int(batch.starts[b])
            body(i, b, first * ball.C, Int(batch.starts[b + 1]) - first)
        }
    }

    /// δ ← Π_ω(init)
    func begin(_ batch: PackedBatch, _ source: NoiseSource) {
        eachRow(of: batch) { _, b, first, length in
            source.fill(delta + first, length: length, C: ball.C, example: batch.sequenceExamples[b], settings.noise.initialization)
            ball.project(delta + first, length: length)
        }
    }

    /// One step up from the gradient of the last loss.
    func climb(_ batch: PackedBatch, into gradient: Device.Target? = nil, frozen: Set<ParameterUnit> = []) {
        let g = model.backward(into: gradient, frozen: frozen, reachesNoise: true)!
        eachRow(of: batch) { _, _, first, length in ball.ascend(delta + first, g + first, length: length) }
    }

    /// The noise of `part` at the places of the whole micro-batch, zero elsewhere.
    func spreadOut(over batch: PackedBatch) -> Device.Target {
        spread!.update(repeating: 0, count: batch.tokenCount * ball.C)
        eachRow(of: part!) { i, _, first, length in
            (spread! + Int(batch.starts[rows[i]]) * ball.C).update(from: delta + first, count: length * ball.C)
        }
        return spread!
    }
}

/// What they report.
extension AdversarialPass {
    private func lossSum(_ batch: PackedBatch) -> Double {
        var sum = 0.0
        eachRow(of: batch) { _, b, _, _ in sum += model.sequenceLosses[b] }
        return model.head.loss == .crossEntropy ? sum : sum / Double(model.head.outputs)
    }

    func recordStart(_ batch: PackedBatch) {
        let sum = lossSum(batch)
        diagnostics!.startLoss += sum
        diagnostics!.hasStart = true
        if settings.noise.initialization.isZero {
            diagnostics!.cleanLoss += sum
            diagnostics!.hasClean = true
        }
    }

    func recordEnd(_ batch: PackedBatch) {
        diagnostics!.endLoss += lossSum(batch)
        diagnostics!.hasEnd = true
    }

    func recordClean(_ batch: PackedBatch) {
        diagnostics!.cleanLoss += lossSum(batch)
        diagnostics!.hasClean = true
    }

    func recordNoise(_ batch: PackedBatch, classWeights: [Float]?) {
        diagnostics!.perturbedExamples += rowCount
        let weights = model.head.loss == .crossEntropy ? classWeights : nil
        eachRow(of: batch) { _, b, first, length in
            diagnostics!.weightSum += weights.map { Double($0[Int(batch.classes[b])]) } ?? 1
            let size = ball.size(delta + first, length: length)
            diagnostics!.normSum += size
            if ball.isOnSurface(size) { diagnostics!.surfaceCount += 1 }
        }
    }
}
