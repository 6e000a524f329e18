/// Cuts the plain bytes into blocks and encodes as many at once as there are processors.
final class TensorEncoder: BlobEncoder {
    private let layout: TensorLayout
    private let effort: Effort
    /// All of the base for a delta.
    private let base: UnsafeRawBufferPointer?
    private var blocks: [TensorBlock] = []
    private let limit = TensorLayout.groupLimit
    private var pending: [UInt8] = []
    private var done = 0

    init(layout: TensorLayout, effort: Effort, base: UnsafeRawBufferPointer?) {
        self.layout = layout
        self.effort = effort
        self.base = base
    }

    func append(_ plain: UnsafeRawBufferPointer, emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        let block = layout.blockByteCount
        var rest = plain
        if !pending.isEmpty {
            let count = min(block - pending.count, rest.count)
            pending += rest[..<count]
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            guard pending.count == block else { return }
            try pending.withUnsafeBytes { try encode($0, emit: emit) }
            pending.removeAll(keepingCapacity: true)
        }
        let whole = rest.count / block * block
        try encode(UnsafeRawBufferPointer(rebasing: rest[..<whole]), emit: emit)
        pending += rest[whole...]
    }

    func finish(emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        try pending.withUnsafeBytes { try encode($0, emit: emit) }
        pending = []
        precondition(base == nil || base!.count == done, "a base of the same length")
    }

    private func encode(_ plain: UnsafeRawBufferPointer, emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        let size = layout.blockByteCount
        var position = 0
        while position < plain.count {
            let count = min(limit * size, plain.count - position)
            let used = (count + size - 1) / size
            while blocks.count < used { blocks.append(TensorBlock(layout, isDelta: base != nil)) }
            nonisolated(unsafe) let portion = UnsafeRawBufferPointer(rebasing: plain[position..<position + count])
            nonisolated(unsafe) let old = base.map { UnsafeRawBufferPointer(rebasing: $0[done..<done + count]) }
            nonisolated(unsafe) let work = blocks
            let effort = effort
            concurrently(used) { index in
                let range = index * size..<min((index + 1) * size, count)
                work[index].encode(
                    UnsafeRawBufferPointer(rebasing: portion[range]),
                    base: old.map { UnsafeRawBufferPointer(rebasing: $0[range]) }
                        ?? UnsafeRawBufferPointer(start: nil, count: 0), effort: effort)
            }
            for index in 0..<used {
                if let fault = blocks[index].fault { throw StoreError.zstandard("compress a block", fault) }
                try blocks[index].emit(emit)
            }
            position += count
            done += count
        }
    }
}
