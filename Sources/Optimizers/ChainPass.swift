import Tensors

/// Passes over memory: runs operations on every chunk while it is hot, and measures or moves the weights at its end.
struct ChainPass {
    let plan: UpdatePlan
    let weights: UnsafeMutablePointer<Float>
    /// The gradient, or the direction that an earlier pass left in its place.
    let direction: UnsafeMutablePointer<Float>
    /// Base addresses of all moments.
    let moments: UnsafePointer<UnsafeMutablePointer<Float>>
    let parallel: Parallel

    /// A transformation's operation, with the buffers of its moments.
    struct Operation {
        let run: (Chunk) -> Void
        let moments: UnsafePointer<UnsafeMutablePointer<Float>>
    }

    /// What happens to a chunk after the operations.
    private enum Ending {
        /// Sums of squares into the partial sums; the direction replaces the old one if any operation changed it.
        case measure(Measures, sums: UnsafeMutablePointer<Double>)
        /// x ← keep·x − rate·u with the tensor's own rate and share.
        case move(rates: [Float], keeps: [Float])
    }

    /// Sums of squares per tensor of the direction after `operations`, and of the weights.
    ///
    /// - Parameter sums: room for two numbers a piece.
    func measure(
        _ measures: Measures, after operations: [Operation], sums: UnsafeMutablePointer<Double>
    ) -> Measurement {
        run(operations, ending: .measure(measures, sums: sums))
        func total(_ which: Int) -> [Double] {
            plan.piecesOfTensor.map { range in range.reduce(0.0) { $0 + sums[2 * $1 + which] } }
        }
        return Measurement(
            direction: measures.contains(.direction) ? total(0) : [],
            weights: measures.contains(.weights) ? total(1) : [])
    }

    /// Moves the weights along the direction after `operations`.
    func move(_ operations: [Operation], learningRate: Double, shrinkage: Double) {
        let rates = plan.tensors.map { learningRate * $0.multiplier }
        let keeps = zip(plan.tensors, rates).map { tensor, rate in
            Float(1 - rate * (tensor.entry.role.isDecayed ? shrinkage : 0))
        }
        run(operations, ending: .move(rates: rates.map { Float($0) }, keeps: keeps))
    }

    private func run(_ operations: [Operation], ending: Ending) {
        parallel(plan.tasks.count) { task in
            withUnsafeTemporaryAllocation(
                byteCount: UpdatePlan.chunkElements * MemoryLayout<Float>.stride, alignment: 64
            ) { scratch in
                let scratch = scratch.baseAddress!.assumingMemoryBound(to: Lanes.self)
                flushingDenormals {
                    for index in plan.tasks[task] {
                        run(operations, ending: ending, piece: index, scratch: scratch)
                    }
                }
            }
        }
    }

    private func run(
        _ operations: [Operation], ending: Ending, piece index: Int, scratch: UnsafeMutablePointer<Lanes>
    ) {
        let piece = plan.pieces[index]
        let source = (direction + piece.offset).lanes
        let x = (weights + piece.offset).lanes
        var chunk = Chunk(
            tensor: piece.tensor, isDecayed: piece.isDecayed, count: piece.count, input: UnsafePointer(source),
            output: scratch, weights: UnsafePointer(x), momentOffset: piece.momentOffset,
            momentBases: moments)
        for operation in operations {
            chunk.momentBases = operation.moments
            operation.run(chunk)
            chunk.input = UnsafePointer(scratch)
        }
        switch ending {
        case .measure(let measures, let sums):
            if measures.contains(.direction) { sums[2 * index] = Self.sumOfSquares(chunk.input, chunk.count) }
            if measures.contains(.weights) { sums[2 * index + 1] = Self.sumOfSquares(chunk.weights, chunk.count) }
            if !operations.isEmpty { source.update(from: scratch, count: chunk.count) }
        case .move(let rates, let keeps):
            let rate = rates[piece.tensor]
            let keep = keeps[piece.tensor]
            let u = chunk.input
            for i in 0..<piece.count { x[i] = x[i] * keep - u[i] * rate }
        }
    }

    /// Σ x² in double: finite for all finite float32, and not finite as soon as one element is not.
    private static func sumOfSquares(_ x: UnsafePointer<Lanes>, _ count: Int) -> Double {
        var low = SIMD8<Double>.zero
        var high = SIMD8<Double>.zero
        for i in 0..<count {
            let a = SIMD8<Double>(x[i].lowHalf)
            let b = SIMD8<Double>(x[i].highHalf)
            low += a * a
            high += b * b
        }
        return (low + high).sum()
    }
}
