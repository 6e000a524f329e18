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
        let keeps = plan.tensors.indices.map { keep(tensor: $0, learningRate: learningRate, shrinkage: shrinkage) }
        run(operations, ending: .move(rates: rates.map { Float($0) }, keeps: keeps))
    }

    /// Share of a tensor's weights that a step leaves.
    func keep(tensor: Int, learningRate: Double, shrinkage: Double) -> Float {
        let tensor = plan.tensors[tensor]
        return Float(1 - learningRate * tensor.multiplier * (tensor.entry.role.isDecayed ? shrinkage : 0))
    }

    /// Multiplies the dormant weights by one step's `keeps` after the other, rounding as each of the steps would have.
    func settle(_ keeps: [Float]) {
        guard let dormant = plan.dormant, !keeps.isEmpty else { return }
        let perTask = 64
        parallel((dormant.runs.count + perTask - 1) / perTask) { task in
            flushingDenormals {
                for run in dormant.runs[task * perTask..<min((task + 1) * perTask, dormant.runs.count)] {
                    let x = (weights + run.lowerBound).lanes
                    var at = 0
                    let count = run.count / Lanes.scalarCount
                    while at + 4 <= count {
                        var (a, b, c, d) = (x[at], x[at + 1], x[at + 2], x[at + 3])
                        for keep in keeps { (a, b, c, d) = (a * keep, b * keep, c * keep, d * keep) }
                        (x[at], x[at + 1], x[at + 2], x[at + 3]) = (a, b, c, d)
                        at += 4
                    }
                    while at < count {
                        var a = x[at]
                        for keep in keeps { a = a * keep }
                        x[at] = a
                        at += 1
                    }
                }
            }
        }
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
        var squares = SumsOfSquares(), weightSquares = SumsOfSquares()
        for part in plan.runs[piece.runs] {
            let source = (direction + piece.offset).lanes + part.lowerBound
            let x = (weights + piece.offset).lanes + part.lowerBound
            var chunk = Chunk(
                tensor: piece.tensor, isDecayed: piece.isDecayed, count: part.count, input: UnsafePointer(source),
                output: scratch, weights: UnsafePointer(x), momentOffset: piece.momentOffset + part.lowerBound * Lanes.scalarCount,
                momentBases: moments)
            for operation in operations {
                chunk.momentBases = operation.moments
                operation.run(chunk)
                chunk.input = UnsafePointer(scratch)
            }
            switch ending {
            case .measure(let measures, _):
                if measures.contains(.direction) { squares.add(chunk.input, part.count) }
                if measures.contains(.weights) { weightSquares.add(chunk.weights, part.count) }
                if !operations.isEmpty { source.update(from: scratch, count: part.count) }
            case .move(let rates, let keeps):
                let rate = rates[piece.tensor]
                let keep = keeps[piece.tensor]
                let u = chunk.input
                for i in 0..<part.count { x[i] = x[i] * keep - u[i] * rate }
            }
        }
        if case .measure(let measures, let sums) = ending {
            if measures.contains(.direction) { sums[2 * index] = squares.total }
            if measures.contains(.weights) { sums[2 * index + 1] = weightSquares.total }
        }
    }
}

/// Σ x² in double: finite for all finite float32, and not finite as soon as one element is not.
private struct SumsOfSquares {
    private var low = SIMD8<Double>.zero
    private var high = SIMD8<Double>.zero

    mutating func add(_ x: UnsafePointer<Lanes>, _ count: Int) {
        var (low, high) = (low, high)
        for i in 0..<count {
            let a = SIMD8<Double>(x[i].lowHalf)
            let b = SIMD8<Double>(x[i].highHalf)
            low += a * a
            high += b * b
        }
        (self.low, self.high) = (low, high)
    }

    var total: Double { (low + high).sum() }
}
