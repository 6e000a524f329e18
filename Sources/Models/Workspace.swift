import Tensors

/// Memory of one model, planned once: pointers into a block, of whose beginning there may be several sets.
final class Workspace<Scalar> {
    private var cursor = 0
    private var planned = 0
    private var buffers: [Buffer] = []
    /// End of the part that every set has for itself, in bytes.
    private var ownEnd = 0
    /// The set that slots of the first part lie in.
    var set = 0

    /// A place in the block: an offset until `commit`, a pointer after.
    struct Slot { let offset: Int }

    /// Plans `count` elements, aligned to 64 bytes.
    func plan(_ count: Int) -> Slot {
        precondition(buffers.isEmpty, "memory is planned before it is used")
        defer {
            cursor += (count * MemoryLayout<Scalar>.stride + 63) / 64 * 64
            planned = max(planned, cursor)
        }
        return Slot(offset: cursor)
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
        (buffers[slot.offset < ownEnd ? set : 0].pointer + slot.offset).assumingMemoryBound(to: Scalar.self)
    }
}
