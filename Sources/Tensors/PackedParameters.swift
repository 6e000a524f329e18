/// Parameters as a device's units multiply them, made once for as long as they do not change.
struct PackedParameters {
    /// A matrix and the way it is read.
    struct Key: Hashable {
        let address: UnsafeMutableRawPointer
        let n: Int, k: Int, row: Int, column: Int
    }

    /// Bytes of a block at least: large pages, since panels are read from start to end.
    private static let blockBytes = 32 << 20
    /// Bytes that are kept at most; what finds no room is packed at every use. A model of 85 M weights in its blocks needs 340 MB.
    static let mostBytes = 512 << 20

    /// Spans that say that nothing changes; one inside another adds nothing.
    private var depth = 0
    private var kept: [Key: UnsafeMutableRawPointer] = [:]
    /// Filled one after the other; no more than the largest span needed.
    private var blocks: [Buffer] = []
    /// The block that is being filled, and the bytes of it that are taken.
    private var block = 0, taken = 0

    /// Whether anything may be kept now.
    var isOpen: Bool { depth > 0 }

    var byteCount: Int { blocks.reduce(0) { $0 + $1.byteCount } }

    mutating func begin() { depth += 1 }

    /// What is kept is of no use beyond the span; its memory is.
    mutating func end() {
        depth -= 1
        guard depth == 0 else { return }
        kept.removeAll(keepingCapacity: true)
        (block, taken) = (0, 0)
    }

    /// The packed matrix, which `pack` writes when it is not kept yet; nil when there is no room for it.
    mutating func take(_ key: Key, byteCount: Int, pack: (UnsafeMutableRawPointer) -> Void) -> UnsafeRawPointer? {
        if let pointer = kept[key] { return UnsafeRawPointer(pointer) }
        guard let pointer = room(byteCount) else { return nil }
        pack(pointer)
        kept[key] = pointer
        return UnsafeRawPointer(pointer)
    }

    private mutating func room(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        var (next, offset) = (block, taken)
        while next < blocks.count, offset + byteCount > blocks[next].byteCount { (next, offset) = (next + 1, 0) }
        if next == blocks.count {
            let size = max(byteCount, Self.blockBytes)
            guard self.byteCount + size <= Self.mostBytes else { return nil }
            blocks.append(Buffer(byteCount: size))
        }
        (block, taken) = (next, offset + (byteCount + 63) / 64 * 64)
        return blocks[next].pointer + offset
    }
}
