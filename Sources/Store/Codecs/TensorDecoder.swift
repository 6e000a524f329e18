import Dispatch

/// Decodes the blocks of the planes and delta codecs in groups, as many blocks at once as there is work for.
struct TensorDecoder {
    private let layout: TensorLayout
    private let source: EncodedSource
    private let plainByteCount: Int
    private let window: UnsafeMutableRawBufferPointer
    private let isWhole: Bool
    private let blocks: [TensorBlock]
    private var done = 0

    /// `window` holds everything, or at least one block.
    init(
        layout: TensorLayout, isDelta: Bool, _ source: EncodedSource, _ plainByteCount: Int,
        _ window: UnsafeMutableRawBufferPointer
    ) {
        self.layout = layout
        self.source = source
        self.plainByteCount = plainByteCount
        self.window = window
        isWhole = window.count >= plainByteCount
        let limit = isWhole ? .max : window.count / layout.blockByteCount
        let group = max(1, min(limit, TensorLayout.groupLimit))
        let needed = (plainByteCount + layout.blockByteCount - 1) / layout.blockByteCount
        blocks = (0..<min(group, needed)).map { _ in TensorBlock(layout, isDelta: isDelta) }
    }

    var isDone: Bool { done == plainByteCount }
    /// The plain bytes of a whole group.
    var groupByteCount: Int { blocks.count * layout.blockByteCount }
    /// The plain bytes of the next group.
    var nextByteCount: Int { min(groupByteCount, plainByteCount - done) }

    /// Decodes the next group; `base` is that part of the base, or empty.
    mutating func step(
        base: UnsafeRawBufferPointer, emit: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let size = layout.blockByteCount
        let count = nextByteCount
        let start = isWhole ? done : 0
        let used = (count + size - 1) / size
        for index in 0..<used { try blocks[index].read(from: source) }
        nonisolated(unsafe) let target = UnsafeMutableRawBufferPointer(rebasing: window[start..<start + count])
        nonisolated(unsafe) let (work, base) = (blocks, base)
        concurrently(used) { index in
            let range = index * size..<min((index + 1) * size, count)
            work[index].decode(
                into: UnsafeMutableRawBufferPointer(rebasing: target[range]),
                base: base.isEmpty ? base : UnsafeRawBufferPointer(rebasing: base[range]))
        }
        for index in 0..<used {
            if let fault = blocks[index].fault { throw source.damage("a block of planes", fault) }
        }
        try emit(UnsafeRawBufferPointer(target))
        done += count
    }

    func finish() throws {
        guard source.remaining == 0 else {
            throw source.damage("nothing after the last block", "\(source.remaining) bytes")
        }
    }
}

/// Runs `body` for every index, on several threads if there are several.
func concurrently(_ count: Int, _ body: @Sendable (Int) -> Void) {
    if count == 1 { body(0) } else { DispatchQueue.concurrentPerform(iterations: count, execute: body) }
}
