#if canImport(Glibc)
import Glibc
#endif

/// A block of zeroed memory, aligned to 64 bytes, released with its last reference.
///
/// Large blocks are pages of their own: they take memory as they are written to, so that what is planned and not used costs nothing, and
/// ask for transparent huge pages, since weights are read front to back many times a step.
public final class Buffer {
    public let byteCount: Int
    public let pointer: UnsafeMutableRawPointer
    /// Bytes of the pages; nil for a small block of the heap.
    private let mapped: Int?

    private static let large = 4 << 20
    private static let hugePage = 2 << 20

    public init(byteCount: Int) {
        precondition(byteCount >= 0)
        self.byteCount = byteCount
        if byteCount >= Self.large {
            let count = (byteCount + Self.hugePage - 1) / Self.hugePage * Self.hugePage
            guard let pages = Self.map(count) else { Self.fail(byteCount) }
            (pointer, mapped) = (pages, count)
        } else {
            var raw: UnsafeMutableRawPointer?
            let rounded = max(64, (byteCount + 63) / 64 * 64)
            guard posix_memalign(&raw, 64, rounded) == 0, let raw else { Self.fail(byteCount) }
            memset(raw, 0, rounded)
            (pointer, mapped) = (raw, nil)
        }
    }

    deinit {
        if let mapped { munmap(pointer, mapped) } else { free(pointer) }
    }

    /// Zeroed pages that begin where a huge page does.
    private static func map(_ count: Int) -> UnsafeMutableRawPointer? {
        guard let raw = mmap(nil, count + hugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), raw != MAP_FAILED else { return nil }
        let head = (hugePage - Int(bitPattern: raw) % hugePage) % hugePage
        if head > 0 { munmap(raw, head) }
        if head < hugePage { munmap(raw + head + count, hugePage - head) }
        madvise(raw + head, count, MADV_HUGEPAGE)
        return raw + head
    }

    private static func fail(_ byteCount: Int) -> Never { fatalError("out of memory: \(byteCount) bytes were asked for") }
}
