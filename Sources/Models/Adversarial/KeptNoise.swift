import Tensors

/// Room for the noise of a whole batch, so that the loss of a step can be evaluated again at it.
final class KeptNoise<Scalar> {
    /// The step that the noise is of.
    private(set) var step: Int?
    private let buffer: Buffer
    private let capacity: Int
    private var end = 0, cursor = 0

    init(count: Int) {
        capacity = count
        buffer = Buffer(byteCount: count * MemoryLayout<Scalar>.stride)
    }

    var byteCount: Int { buffer.byteCount }

    private var pointer: UnsafeMutablePointer<Scalar> { buffer.pointer.assumingMemoryBound(to: Scalar.self) }

    /// Forgets what was kept and begins the noise of a step.
    func begin(step: Int) { (self.step, end) = (step, 0) }

    func keep(_ values: UnsafePointer<Scalar>, count: Int) {
        precondition(end + count <= capacity, "a batch has more tokens than there is room for")
        (pointer + end).update(from: values, count: count)
        end += count
    }

    func rewind() { cursor = 0 }

    /// The next `count` values, in the order in which they were kept.
    func next(count: Int) -> UnsafePointer<Scalar> {
        precondition(cursor + count <= end, "the loss of another batch than the one whose noise was kept")
        defer { cursor += count }
        return UnsafePointer(pointer + cursor)
    }
}
