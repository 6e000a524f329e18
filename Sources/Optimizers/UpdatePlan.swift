import Tensors

/// Which tensors are trained, and the fixed cut of their elements into chunks and tasks.
///
/// Depends on the layout alone, never on threads, so sums over chunks come out the same everywhere.
struct UpdatePlan {
    struct Tensor {
        let entry: ParameterLayout.Entry
        /// Factor on the learning rate.
        let multiplier: Double
    }

    /// Part of one tensor. Offsets in elements, count in `Lanes`.
    struct Piece {
        let tensor: Int
        let offset: Int
        let momentOffset: Int
        let count: Int
        let isDecayed: Bool
        /// Its parts that are not dormant, as a range of `runs`.
        var runs: Range<Int>
    }

    /// Elements of a chunk: weights, gradient, two moments and the direction of it fit the nearest caches.
    static let chunkElements = 2048
    /// Elements that a task covers at least, so that handing out tasks costs nothing.
    static let taskElements = 1 << 16

    let tensors: [Tensor]
    /// Whether weight decay applies, for each tensor.
    let isDecayed: [Bool]
    let pieces: [Piece]
    /// Parts of pieces in `Lanes` from the piece's beginning, without the dormant ones. A piece is summed over its runs in one go,
    /// so sums are those over the whole piece: all else in it is zero.
    let runs: [Range<Int>]
    /// The dormant elements of the one tensor that has any.
    let dormant: (tensor: Int, runs: [Range<Int>])?
    /// Ranges of pieces, one for each task.
    let tasks: [Range<Int>]
    /// Pieces of each tensor.
    let piecesOfTensor: [Range<Int>]
    /// The trained tensors in order, without gaps for frozen ones.
    let momentLayout: ParameterLayout

    /// - Parameter dormant: rows to leave out; of no effect where rows are not whole `Lanes`, or the tensor is not trained.
    init(layout: ParameterLayout, rates: UnitRates, dormant: DormantRows? = nil) throws {
        precondition(ParameterLayout.alignment % Lanes.scalarCount == 0, "tensors start at whole lanes")
        let blocks = UnitRates.blocks(in: layout)
        var tensors: [Tensor] = []
        var pieces: [Piece] = []
        var runs: [Range<Int>] = []
        var dormantRuns: (Int, [Range<Int>])?
        var ranges: [Range<Int>] = []
        var momentLayout = ParameterLayout()
        for entry in layout.entries {
            guard let multiplier = rates.multiplier(of: entry.unit, blocks: blocks) else { continue }
            let momentOffset = momentLayout.count
            momentLayout.append(entry.name, entry.shape, role: entry.role, unit: entry.unit)
            let first = pieces.count
            var live = [0..<entry.count]
            if let dormant, entry.name == dormant.tensor, entry.shape.count == 2, entry.shape[1] % Lanes.scalarCount == 0 {
                let width = entry.shape[1]
                live = dormant.liveElements(width: width, count: entry.count)
                dormantRuns = (tensors.count, dormant.rows.map { entry.offset + $0.lowerBound * width..<entry.offset + $0.upperBound * width })
            }
            var next = 0
            for start in stride(from: 0, to: entry.count, by: Self.chunkElements) {
                let elements = min(Self.chunkElements, entry.count - start)
                let firstRun = runs.count
                while next < live.count, live[next].lowerBound < start + elements {
                    let part = live[next].clamped(to: start..<start + elements)
                    let lanes = (part.upperBound - start + Lanes.scalarCount - 1) / Lanes.scalarCount
                    runs.append((part.lowerBound - start) / Lanes.scalarCount..<lanes)
                    if live[next].upperBound > start + elements { break }
                    next += 1
                }
                pieces.append(
                    Piece(
                        tensor: tensors.count, offset: entry.offset + start, momentOffset: momentOffset + start,
                        count: (elements + Lanes.scalarCount - 1) / Lanes.scalarCount,
                        isDecayed: entry.role.isDecayed, runs: firstRun..<runs.count))
            }
            ranges.append(first..<pieces.count)
            tensors.append(Tensor(entry: entry, multiplier: multiplier))
        }
        guard !pieces.isEmpty else { throw OptimizerError.nothingToTrain }
        self.tensors = tensors
        isDecayed = tensors.map(\.entry.role.isDecayed)
        self.pieces = pieces
        self.runs = runs
        self.dormant = dormantRuns
        self.piecesOfTensor = ranges
        self.momentLayout = momentLayout
        tasks = Self.tasks(of: pieces, runs)
    }

    /// The elements that a gradient can have, as ranges of the flat buffer, gaps included.
    func liveElements(of layout: ParameterLayout) -> [Range<Int>] {
        var live: [Range<Int>] = [], next = 0
        for run in dormant?.runs ?? [] {
            if next < run.lowerBound { live.append(next..<run.lowerBound) }
            next = run.upperBound
        }
        if next < layout.count { live.append(next..<layout.count) }
        return live
    }

    private static func tasks(of pieces: [Piece], _ runs: [Range<Int>]) -> [Range<Int>] {
        var tasks: [Range<Int>] = []
        var first = 0
        var elements = 0
        for index in pieces.indices {
            elements += runs[pieces[index].runs].reduce(0) { $0 + $1.count } * Lanes.scalarCount
            if elements >= taskElements || index == pieces.count - 1 {
                tasks.append(first..<index + 1)
                first = index + 1
                elements = 0
            }
        }
        return tasks
    }
}
