import Tensors

/// Memory of one model, planned once: pointers into a block, of whose beginning there may be several sets.
final class Workspace<Scalar> {
    /// Whether there is room for scalars in compact places too, or only for bfloat16.
    private let compactsAlways: Bool
    private var cursor = 0
    private var planned = 0
    private var buffers: [Buffer] = []
    /// End of the part that every set has for itself, in bytes.
    private var ownEnd = 0
    /// The set that slots of the first part lie in.
    var set = 0

    /// - Parameter compactsAlways: what is planned as compact is never asked for as scalars.
    init(compactsAlways: Bool = false) { self.compactsAlways = compactsAlways }

    /// A place in the block: an offset until `commit`, a pointer after.
    struct Slot { let offset: Int }
    /// A place for what only products, attention and an activation read, which is bfloat16 in passes of backends that keep it so.
    struct CompactSlot { let offset: Int }

    /// Plans `count` elements, aligned to 64 bytes.
    func plan(_ count: Int) -> Slot { Slot(offset: place(count * MemoryLayout<Scalar>.stride)) }

    func planCompact(_ count: Int) -> CompactSlot {
        CompactSlot(offset: place(count * (compactsAlways ? MemoryLayout<UInt16>.stride : MemoryLayout<Scalar>.stride)))
    }

    private func place(_ bytes: Int) -> Int {
        precondition(buffers.isEmpty, "memory is planned before it is used")
        defer {
            cursor += (bytes + 63) / 64 * 64
            planned = max(planned, cursor)
        }
        return cursor
    }

    /// The next free place; planning again from there shares the memory of what was planned since.
    var mark: Int {
        get { cursor }
        set { cursor = newValue }
    }

    /// What has been planned so far is in every set; what is planned after is shared by them.
    func endSet() { ownEnd = planned }

    /// - Parameter sets: how many copies there are of what was planned before `endSet`.
    func commit(sets: Int) {
        buffers = (0..<sets).map { Buffer(byteCount: $0 == 0 ? planned : ownEnd) }
    }

    var byteCount: Int { buffers.reduce(0) { $0 + $1.byteCount } }

    func callAsFunction(_ slot: Slot) -> UnsafeMutablePointer<Scalar> {
        address(slot.offset).assumingMemoryBound(to: Scalar.self)
    }

    func callAsFunction(_ slot: CompactSlot, isBF16: Bool) -> Elements<Scalar> {
        precondition(isBF16 || !compactsAlways, "this memory was planned for bfloat16 alone")
        return Elements(address: address(slot.offset), isBF16: isBF16)
    }

    private func address(_ offset: Int) -> UnsafeMutableRawPointer { buffers[offset < ownEnd ? set : 0].pointer + offset }
}
