/// Rank and result of merging two tokens, by their ids. Immutable after `init`.
final class MergeTable: @unchecked Sendable {
    struct Merge: BitwiseCopyable {
        var rank: UInt32
        var id: Int32

        static let none = Merge(rank: .max, id: -1)
    }

    private struct Slot: BitwiseCopyable {
        var pair: UInt64
        var merge: Merge
    }

    private let slots: UnsafeMutablePointer<Slot>
    private let mask: Int
    private static let free = UInt64.max

    /// The pairs in order of rank; each pair once.
    init(_ merges: [(left: Int32, right: Int32, result: Int32)]) {
        var size = 16
        while size < merges.count * 2 { size *= 2 }
        mask = size - 1
        slots = .allocate(capacity: size)
        slots.initialize(repeating: Slot(pair: Self.free, merge: .none), count: size)
        for (rank, merge) in merges.enumerated() {
            let pair = Self.pair(merge.left, merge.right)
            var slot = Self.hash(pair) & mask
            while slots[slot].pair != Self.free { slot = (slot + 1) & mask }
            slots[slot] = Slot(pair: pair, merge: Merge(rank: UInt32(rank), id: merge.result))
        }
    }

    deinit { slots.deallocate() }

    @inline(__always)
    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    private static func hash(_ pair: UInt64) -> Int {
        Int(truncatingIfNeeded: (pair &* 0x9E37_79B9_7F4A_7C15) >> 33)
    }

    /// `none` if the two do not merge.
    @inline(__always)
    subscript(left: Int32, right: Int32) -> Merge {
        let pair = Self.pair(left, right)
        var slot = Self.hash(pair) & mask
        while slots[slot].pair != pair {
            if slots[slot].pair == Self.free { return .none }
            slot = (slot + 1) & mask
        }
        return slots[slot].merge
    }
}
