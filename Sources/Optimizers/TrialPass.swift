import Tensors

/// Passes over memory that compute a direction without advancing any moment, until `settle` does.
///
/// The gradient stays as it is all the while: each pass runs the chain again on copies of a chunk's moments, so that
/// a step that is given up in the middle has changed nothing but weights, which `saved` brings back.
struct TrialPass {
    let plan: UpdatePlan
    let weights: UnsafeMutablePointer<Float>
    let gradient: UnsafeMutablePointer<Float>
    /// The weights before the step, in the layout of the moments.
    let saved: UnsafeMutablePointer<Float>
    /// Base addresses of all moments.
    let moments: UnsafePointer<UnsafeMutablePointer<Float>>
    let momentCount: Int
    let parallel: Parallel

    struct Operation {
        let run: (Chunk) -> Void
        /// First of its moments among all.
        let firstMoment: Int
    }

    private enum Ending {
        /// Sums of squares of direction and weights, as `ChainPass` takes them.
        case measure(Measures, sums: UnsafeMutablePointer<Double>)
        /// gᵀu into the first of two partial sums a piece.
        case slope(sums: UnsafeMutablePointer<Double>)
        /// −factor·u into memory in the layout of the moments.
        case write(factors: [Float], into: UnsafeMutablePointer<Float>)
        /// x ← s − rate·u, exactly s where the rate is 0.
        case displace(rates: [Float])
        /// x ← keep·x.
        case decay(keeps: [Float])
        /// x ← keep·(s − rate·u).
        case displaceAndDecay(rates: [Float], keeps: [Float])
    }

    /// Which of the operations a tensor gets: an index into `operations`, nil to leave the tensor out.
    typealias Choice = (_ tensor: Int) -> Int?

    func save() { forEachPiece { piece in saved(piece).update(from: live(piece), count: piece.count) } }

    func restore(_ isIncluded: (Int) -> Bool) {
        forEachPiece { piece in
            if isIncluded(piece.tensor) { live(piece).update(from: saved(piece), count: piece.count) }
        }
    }

    func measure(
        _ measures: Measures, after operations: [Operation], sums: UnsafeMutablePointer<Double>
    ) -> Measurement {
        run([operations], { _ in 0 }, ending: .measure(measures, sums: sums))
        return Measurement(
            direction: measures.contains(.direction) ? total(sums) : [],
            weights: measures.contains(.weights) ? total(sums + 1) : [])
    }

    /// gᵀu per tensor; 0 for those left out.
    func slopes(
        _ operations: [[Operation]], _ choice: Choice, sums: UnsafeMutablePointer<Double>
    ) -> [Double] {
        for index in plan.pieces.indices { sums[2 * index] = 0 }
        run(operations, choice, ending: .slope(sums: sums))
        return total(sums)
    }

    /// d = −factor·u of every tensor, in the layout of the moments.
    func write(
        _ operations: [[Operation]], _ choice: Choice, factors: [Float], into target: UnsafeMutablePointer<Float>
    ) {
        run(operations, choice, ending: .write(factors: factors, into: target))
    }

    /// Puts the weights of the chosen tensors where a step from the saved ones leads.
    func displace(_ operations: [[Operation]], _ choice: Choice, rates: [Float]) {
        run(operations, choice, ending: .displace(rates: rates))
    }

    /// Advances the moments and shrinks the weights, after moving them from the saved ones where rates are given.
    func settle(_ operations: [Operation], rates: [Float]?, keeps: [Float]) {
        let ending = rates.map { Ending.displaceAndDecay(rates: $0, keeps: keeps) } ?? .decay(keeps: keeps)
        run([operations], { _ in 0 }, ending: ending, storing: true)
    }

    private func live(_ piece: UpdatePlan.Piece) -> UnsafeMutablePointer<Lanes> { (weights + piece.offset).lanes }
    private func saved(_ piece: UpdatePlan.Piece) -> UnsafeMutablePointer<Lanes> { (saved + piece.momentOffset).lanes }

    private func forEachPiece(_ body: (UpdatePlan.Piece) -> Void) {
        parallel(plan.tasks.count) { task in
            for index in plan.tasks[task] { body(plan.pieces[index]) }
        }
    }

    private func total(_ sums: UnsafeMutablePointer<Double>) -> [Double] {
        plan.piecesOfTensor.map { range in range.reduce(0.0) { $0 + sums[2 * $1] } }
    }

    private func run(_ operations: [[Operation]], _ choice: Choice, ending: Ending, storing: Bool = false) {
        let chunkBytes = UpdatePlan.chunkElements * MemoryLayout<Float>.stride
        parallel(plan.tasks.count) { task in
            withUnsafeTemporaryAllocation(byteCount: chunkBytes * (1 + momentCount), alignment: 64) { scratch in
                withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>.self, capacity: momentCount + 1) { copies in
                    let base = scratch.baseAddress!.assumingMemoryBound(to: Float.self)
                    for moment in 0..<momentCount {
                        (copies.baseAddress! + moment).initialize(to: base + UpdatePlan.chunkElements * (1 + moment))
                    }
                    flushingDenormals {
                        for index in plan.tasks[task] {
                            guard let chosen = choice(plan.pieces[index].tensor) else { continue }
                            run(
                                operations[chosen], ending, index, base.lanes,
                                copies: storing ? nil : UnsafePointer(copies.baseAddress!))
                        }
                    }
                }
            }
        }
    }

    private func run(
        _ operations: [Operation], _ ending: Ending, _ index: Int, _ scratch: UnsafeMutablePointer<Lanes>,
        copies: UnsafePointer<UnsafeMutablePointer<Float>>?
    ) {
        let piece = plan.pieces[index]
        let g = UnsafePointer((gradient + piece.offset).lanes)
        let s = UnsafePointer(saved(piece))
        if let copies {
            for moment in 0..<momentCount {
                copies[moment].lanes.update(from: (moments[moment] + piece.momentOffset).lanes, count: piece.count)
            }
        }
        let bases = copies ?? moments
        var chunk = Chunk(
            tensor: piece.tensor, isDecayed: piece.isDecayed, count: piece.count, input: g, output: scratch, weights: s,
            momentOffset: copies == nil ? piece.momentOffset : 0, momentBases: bases)
        for operation in operations {
            chunk.momentBases = bases + operation.firstMoment
            operation.run(chunk)
            chunk.input = UnsafePointer(scratch)
        }
        finish(ending, index, piece, g: g, u: chunk.input, s: s)
    }

    private func finish(
        _ ending: Ending, _ index: Int, _ piece: UpdatePlan.Piece, g: UnsafePointer<Lanes>, u: UnsafePointer<Lanes>,
        s: UnsafePointer<Lanes>
    ) {
        let x = live(piece)
        switch ending {
        case .measure(let measures, let sums):
            if measures.contains(.direction) { sums[2 * index] = Self.product(u, u, piece.count) }
            if measures.contains(.weights) { sums[2 * index + 1] = Self.product(s, s, piece.count) }
        case .slope(let sums):
            sums[2 * index] = Self.product(g, u, piece.count)
        case .write(let factors, let target):
            let d = (target + piece.momentOffset).lanes
            for i in 0..<piece.count { d[i] = u[i] * -factors[piece.tensor] }
        case .displace(let rates):
            Self.displace(x, s, u, rates[piece.tensor], piece.count)
        case .decay(let keeps):
            Self.shrink(x, keeps[piece.tensor], piece.count)
        case .displaceAndDecay(let rates, let keeps):
            Self.displace(x, s, u, rates[piece.tensor], piece.count)
            Self.shrink(x, keeps[piece.tensor], piece.count)
        }
    }

    private static func displace(
        _ x: UnsafeMutablePointer<Lanes>, _ s: UnsafePointer<Lanes>, _ u: UnsafePointer<Lanes>, _ rate: Float,
        _ count: Int
    ) {
        guard rate != 0 else { return x.update(from: s, count: count) }
        for i in 0..<count { x[i] = s[i] - u[i] * rate }
    }

    private static func shrink(_ x: UnsafeMutablePointer<Lanes>, _ keep: Float, _ count: Int) {
        guard keep != 1 else { return }
        for i in 0..<count { x[i] = x[i] * keep }
    }

    /// aᵀb in double, in a fixed order.
    private static func product(_ a: UnsafePointer<Lanes>, _ b: UnsafePointer<Lanes>, _ count: Int) -> Double {
        var low = SIMD8<Double>.zero
        var high = SIMD8<Double>.zero
        for i in 0..<count {
            low += SIMD8<Double>(a[i].lowHalf) * SIMD8<Double>(b[i].lowHalf)
            high += SIMD8<Double>(a[i].highHalf) * SIMD8<Double>(b[i].highHalf)
        }
        return (low + high).sum()
    }
}
