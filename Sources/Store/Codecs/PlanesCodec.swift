import CZstd
import Dispatch
import Foundation

/// Byte planes, each compressed by itself: for tensors, whose bytes of one significance resemble one another.
///
/// The plain bytes are cut into blocks of 256 KiB. In a block the elements' first bytes stand together, then their
/// second bytes, and so on.
/// For floating point the bits are rotated left by one first, which brings sign to the end and leaves the exponent of
/// float32 and
/// bfloat16 alone in the highest byte: the only plane with much to gain. See <doc:Format> for every byte.
struct PlanesCodec: BlobCodec {
    static let identifier: UInt16 = 2
    static let name = "planes"
    static let blockByteCount = 256 << 10

    /// Bytes of an element: 1, 2, 4 or 8.
    let width: Int
    /// Whether the bits are rotated left by one before the split.
    let rotates: Bool

    init(width: Int, rotates: Bool) {
        precondition([1, 2, 4, 8].contains(width))
        self.width = width
        self.rotates = rotates
    }

    var parameters: UInt32 { UInt32(width) | (rotates ? 0x100 : 0) }

    init?(parameters: UInt32) {
        let width = Int(parameters & 0xff)
        guard [1, 2, 4, 8].contains(width), parameters >> 9 == 0 else { return nil }
        self.init(width: width, rotates: parameters & 0x100 != 0)
    }

    func makeEncoder(effort: Effort) throws -> any BlobEncoder { PlanesEncoder(codec: self, effort: effort) }

    func decode(
        _ source: EncodedSource, plainByteCount: Int, window: UnsafeMutableRawBufferPointer,
        emit: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let block = Self.blockByteCount
        let threads = ProcessInfo.processInfo.activeProcessorCount
        let isWhole = window.count >= plainByteCount
        let group = max(1, min(isWhole ? .max : window.count / block, threads * 2))
        let slots = (0..<min(group, plainByteCount / block + 1)).map { _ in PlanesBlock(width: width) }
        var done = 0
        while done < plainByteCount {
            let start = isWhole ? done : 0
            let count = min(group * block, plainByteCount - done)
            let portion = UnsafeMutableRawBufferPointer(rebasing: window[start..<start + count])
            let used = (count + block - 1) / block
            for slot in 0..<used {
                try slots[slot].read(from: source, plainByteCount: min(block, count - slot * block))
            }
            nonisolated(unsafe) let target = portion
            nonisolated(unsafe) let work = slots
            let rotates = rotates
            Self.each(used) { slot in
                let range = slot * block..<min((slot + 1) * block, count)
                work[slot].decode(into: UnsafeMutableRawBufferPointer(rebasing: target[range]), rotates: rotates)
            }
            for slot in 0..<used {
                if let fault = slots[slot].fault { throw source.damage("a plane", fault) }
            }
            try emit(UnsafeRawBufferPointer(portion))
            done += count
        }
        guard source.remaining == 0 else {
            throw source.damage("nothing after the last block", "\(source.remaining) bytes")
        }
    }

    /// Runs `body` for every index, on several threads if there are several.
    static func each(_ count: Int, _ body: @Sendable (Int) -> Void) {
        if count == 1 { body(0) } else { DispatchQueue.concurrentPerform(iterations: count, execute: body) }
    }
}

/// Cuts the plain bytes into blocks and encodes as many at once as there are processors.
private final class PlanesEncoder: BlobEncoder {
    private let codec: PlanesCodec
    private let effort: Effort
    private var slots: [PlanesBlock] = []
    private let slotLimit = ProcessInfo.processInfo.activeProcessorCount * 2
    private var pending: [UInt8] = []

    init(codec: PlanesCodec, effort: Effort) {
        self.codec = codec
        self.effort = effort
    }

    func append(_ plain: UnsafeRawBufferPointer, emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        let block = PlanesCodec.blockByteCount
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
    }

    private func encode(_ plain: UnsafeRawBufferPointer, emit: (UnsafeRawBufferPointer) throws -> Void) throws {
        let block = PlanesCodec.blockByteCount
        var done = 0
        while done < plain.count {
            let count = min(slotLimit * block, plain.count - done)
            let used = (count + block - 1) / block
            while slots.count < used { slots.append(PlanesBlock(width: codec.width)) }
            nonisolated(unsafe) let portion = UnsafeRawBufferPointer(rebasing: plain[done..<done + count])
            nonisolated(unsafe) let work = slots
            let (rotates, effort) = (codec.rotates, effort)
            PlanesCodec.each(used) { slot in
                let range = slot * block..<min((slot + 1) * block, count)
                work[slot].encode(UnsafeRawBufferPointer(rebasing: portion[range]), rotates: rotates, effort: effort)
            }
            for slot in 0..<used {
                if let fault = slots[slot].fault { throw StoreError.zstandard("compress a plane", fault) }
                try slots[slot].emit(emit)
            }
            done += count
        }
    }
}
