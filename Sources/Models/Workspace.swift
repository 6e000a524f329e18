import Tensors

/// Memory of one model, planned once: pointers into a single block.
final class Workspace<Scalar> {
    private var cursor = 0
    private var planned = 0
    private var buffer: Buffer?

    /// A place in the block: an offset until `commit`, a pointer after.
    struct Slot { let offset: Int }

    /// Plans `count` elements, aligned to 64 bytes.
    func plan(_ count: Int) -> Slot {
        precondition(buffer == nil, "memory is planned before it is used")
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

    func commit() { buffer = Buffer(byteCount: planned) }

    var byteCount: Int { planned }

    func callAsFunction(_ slot: Slot) -> UnsafeMutablePointer<Scalar> {
        (buffer!.pointer + slot.offset).assumingMemoryBound(to: Scalar.self)
    }
}
