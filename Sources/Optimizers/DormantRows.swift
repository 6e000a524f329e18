/// Rows of an embedding table that no batch of a run looks up, so that their gradient is always zero.
///
/// Where a chain of transformations makes nothing of a zero gradient, all that a step does to such rows is decay. The optimizer
/// then leaves them out of its passes, keeps the factors, and applies them one after the other, rounding each time as the passes
/// would have, when `Optimizer.settle` asks for it: the weights come out bit for bit the same.
public struct DormantRows: Sendable {
    /// Name of the table, [rows, width].
    public let tensor: String
    /// Ascending, without neighbours.
    public let rows: [Range<Int>]

    /// All rows of a table of `count` but those in `used`.
    public init(tensor: String, count: Int, used: some Sequence<Int32>) {
        self.tensor = tensor
        var isUsed = [Bool](repeating: false, count: count)
        for row in used { isUsed[Int(row)] = true }
        var rows: [Range<Int>] = [], first: Int?
        for row in 0...count {
            if row < count, !isUsed[row] {
                first = first ?? row
            } else if let begin = first {
                rows.append(begin..<row)
                first = nil
            }
        }
        self.rows = rows
    }

    /// Ranges of `count` elements of a table `width` wide that are not in these rows.
    func liveElements(width: Int, count: Int) -> [Range<Int>] {
        var live: [Range<Int>] = [], next = 0
        for range in rows {
            if next < range.lowerBound * width { live.append(next..<range.lowerBound * width) }
            next = range.upperBound * width
        }
        if next < count { live.append(next..<count) }
        return live
    }
}
