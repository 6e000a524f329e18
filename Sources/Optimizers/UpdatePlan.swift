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
    }

    /// Elements of a chunk: weights, gradient, two moments and the direction of it fit the nearest caches.
    static let chunkElements = 2048
    /// Elements that a task covers at least, so that handing out tasks costs nothing.
    static let taskElements = 1 << 16

    let tensors: [Tensor]
    /// Whether weight decay applies, for each tensor.
    let isDecayed: [Bool]
    let pieces: [Piece]
    /// Ranges of pieces, one for each task.
    let tasks: [Range<Int>]
    /// Pieces of each tensor.
    let piecesOfTensor: [Range<Int>]
    /// The trained tensors in order, without gaps for frozen ones.
    let momentLayout: ParameterLayout

    init(layout: ParameterLayout, rates: UnitRates) throws {
        precondition(ParameterLayout.alignment % Lanes.scalarCount == 0, "tensors start at whole lanes")
        let blocks = UnitRates.blocks(in: layout)
        var tensors: [Tensor] = []
        var pieces: [Piece] = []
        var ranges: [Range<Int>] = []
        var momentLayout = ParameterLayout()
        for entry in layout.entries {
            guard let multiplier = rates.multiplier(of: entry.unit, blocks: blocks) else { continue }
            let momentOffset = momentLayout.count
            momentLayout.append(entry.name, entry.shape, role: entry.role, unit: entry.unit)
            let first = pieces.count
            for start in stride(from: 0, to: entry.count, by: Self.chunkElements) {
                let elements = min(Self.chunkElements, entry.count - start)
                pieces.append(
                    Piece(
                        tensor: tensors.count, offset: entry.offset + start, momentOffset: momentOffset + start,
                        count: (elements + Lanes.scalarCount - 1) / Lanes.scalarCount,
                        isDecayed: entry.role.isDecayed))
            }
            ranges.append(first..<pieces.count)
            tensors.append(Tensor(entry: entry, multiplier: multiplier))
        }
        guard !pieces.isEmpty else { throw OptimizerError.nothingToTrain }
        self.tensors = tensors
        isDecayed = tensors.map(\.entry.role.isDecayed)
        self.pieces = pieces
        self.piecesOfTensor = ranges
        self.momentLayout = momentLayout
        tasks = Self.tasks(of: pieces)
    }

    private static func tasks(of pieces: [Piece]) -> [Range<Int>] {
        var tasks: [Range<Int>] = []
        var first = 0
        var elements = 0
        for index in pieces.indices {
            elements += pieces[index].count * Lanes.scalarCount
            if elements >= taskElements || index == pieces.count - 1 {
                tasks.append(first..<index + 1)
                first = index + 1
                elements = 0
            }
        }
        return tasks
    }
}
