import Tensors

/// How a search cuts the network into units that have a step size each.
///
/// A unit is the embeddings, a group of consecutive encoder blocks, or the head with its pooler. Frozen parts are in
/// no unit. The cut depends on the layout alone.
public enum UnitPartition: Hashable, Sendable {
    /// The whole network is one unit.
    case whole
    /// At most so many units. The head is one of its own from two on, the embeddings from three on; blocks are
    /// shared out as evenly as possible, the larger groups first.
    case count(Int)
    /// One for each block, the embeddings and the head.
    case perBlock

    /// Units of a network of any depth unless told otherwise: min(10, blocks + 2).
    public static let automatic = UnitPartition.count(10)

    var explanation: String {
        switch self {
        case .whole: "the whole network"
        case .count(let count): "at most \(count), of embeddings, groups of consecutive blocks, and head with pooler"
        case .perBlock: "embeddings, each block, and head with pooler"
        }
    }

    /// The units, in the network's order, as the parts of the network in each.
    ///
    /// - Parameter parts: the trained parts, each once or more, in any order.
    public func units(of parts: some Sequence<ParameterUnit>) -> [[ParameterUnit]] {
        let parts = Set(parts).sorted()
        let wanted =
            switch self {
            case .whole: 1
            case .count(let count): min(count, parts.count)
            case .perBlock: parts.count
            }
        precondition(wanted >= 1, "a partition into \(wanted) units")
        var middle = parts[...]
        var first: [[ParameterUnit]] = []
        var last: [[ParameterUnit]] = []
        if wanted >= 2, middle.last == .head { last = [[middle.removeLast()]] }
        if wanted >= 3, middle.first == .embeddings { first = [[middle.removeFirst()]] }
        let groups = wanted - first.count - last.count
        return first + Self.shares(middle, groups) + last
    }

    private static func shares(_ parts: ArraySlice<ParameterUnit>, _ groups: Int) -> [[ParameterUnit]] {
        var rest = parts
        return (0..<groups).map { group in
            let size = parts.count / groups + (group < parts.count % groups ? 1 : 0)
            defer { rest = rest.dropFirst(size) }
            return Array(rest.prefix(size))
        }
    }
}
