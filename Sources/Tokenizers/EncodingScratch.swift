import Synchronization

/// The memory one encoding call works in, kept between calls so that encoding allocates nothing.
struct EncodingScratch: ~Copyable {
    /// The tokens of all texts of the call.
    var tokens = RawBuffer<PlacedToken>(capacity: 512)
    /// Normalised text of one piece, and for each of its bytes where the character it came from starts and ends.
    var text = RawBuffer<UInt8>(capacity: 1024)
    var origins = RawBuffer<Origin>(capacity: 256)
    var words = WordCache()
    var merging = MergeScratch()

    struct Origin: BitwiseCopyable {
        var start: Int32
        var end: Int32
    }
}

/// Hands each concurrent caller a scratch of its own and takes it back.
final class ScratchPool: Sendable {
    final class Box: @unchecked Sendable {
        var scratch = EncodingScratch()
    }

    private let free = Mutex<[Box]>([])

    /// `body` has the scratch to itself.
    func withScratch<Result>(_ body: (inout EncodingScratch) throws -> Result) rethrows -> Result {
        let box = free.withLock { $0.popLast() } ?? Box()
        defer { free.withLock { $0.append(box) } }
        return try body(&box.scratch)
    }
}
