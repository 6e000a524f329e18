#if canImport(Glibc)
import Glibc
#endif

/// A block of zeroed memory, aligned to 64 bytes, released with its last reference.
///
/// Large blocks ask for transparent huge pages: weights are read front to back many times a step.
public final class Buffer {
    public let byteCount: Int
    public let pointer: UnsafeMutableRawPointer

    public init(byteCount: Int) {
        precondition(byteCount >= 0)
        self.byteCount = byteCount
        let large = byteCount >= 4 << 20
        let alignment = large ? 2 << 20 : 64
        var raw: UnsafeMutableRawPointer?
        let rounded = max(64, (byteCount + 63) / 64 * 64)
        guard posix_memalign(&raw, alignment, rounded) == 0, let raw else {
            fatalError("out of memory: \(byteCount) bytes were asked for")
        }
        if large { madvise(raw, rounded, MADV_HUGEPAGE) }
        memset(raw, 0, rounded)
        pointer = raw
    }

    deinit { free(pointer) }
}
