internal import CCodecs
import CZstd
import Foundation

/// Encodes and decodes one run of bytes: a byte plane, or the classes of a block's segments.
///
/// Encoded form: a 32-bit word, whose bits 29 to 31 are the mode and the others the count of bytes that follow. Used by
/// one thread at a time.
final class PlaneCoder {
    enum Mode: UInt32 { case raw, constant, zstandard, bits, entropy }

    /// A coded plane must be smaller by this share than the plain one, or reading would be slowed for nothing.
    private static let leastGain = 0.01
    private static let sampleCount = 4096
    /// A zstd frame may be larger than entropy-coded bytes by this share: it decodes twice as fast or faster.
    private static let frameSlack = 0.01

    private let counts = UnsafeMutablePointer<UInt32>.allocate(capacity: 1024)
    private let slots = UnsafeMutablePointer<UInt32>.allocate(capacity: EntropyCoder.total)

    private static let compressors = ContextPool { try CompressionContext() }
    /// For frames that are little more than Huffman codes: planes that are worth coding by frequencies rarely repeat themselves.
    private static let frequencyCompressors = ContextPool {
        let context = try CompressionContext()
        try context.set(ZSTD_c_compressionLevel, 1)
        try context.set(ZSTD_c_strategy, Int(ZSTD_fast.rawValue))
        try context.set(ZSTD_c_minMatch, 7)
        try context.set(ZSTD_c_hashLog, 6)
        try context.set(ZSTD_c_contentSizeFlag, 0)
        return context
    }
    private static let decompressors = ContextPool { try DecompressionContext() }

    deinit {
        counts.deallocate()
        slots.deallocate()
    }

    /// The most bytes that `encode` writes for a plane of `count`.
    static func bound(_ count: Int) -> Int { count + 4 }

    // MARK: Encoding

    /// Writes the plane's encoded form to `target`, which has room for `bound` bytes and eight more, and returns its
    /// length. `zstandardLevel` is nil where repetition is not to be looked for.
    func encode(
        _ plane: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, zstandardLevel: Int?
    ) throws -> Int {
        let body = UnsafeMutableRawBufferPointer(rebasing: target[4...])
        func end(_ mode: Mode, _ count: Int) -> Int {
            target.storeBytes(of: (mode.rawValue << 29 | UInt32(count)).littleEndian, as: UInt32.self)
            return 4 + count
        }
        guard let first = plane.first else { return end(.raw, 0) }
        if plane.count == 1 || memcmp(plane.baseAddress!, plane.baseAddress! + 1, plane.count - 1) == 0 {
            body[0] = first
            return end(.constant, 1)
        }
        var best = plane.count
        var mode = Mode.raw
        let width = Self.usedBits(plane)
        if width < 8, 1 + (plane.count * width + 7) / 8 < best {
            best = Self.pack(plane, width, into: body)
            mode = .bits
        }
        let limit = Double(plane.count) * (1 - Self.leastGain)
        let promised = promisedBytes(plane)
        if promised < min(Double(best) - 0.01 * Double(plane.count), limit) {
            let room = UnsafeMutableRawBufferPointer(rebasing: body[..<(best - 1)])
            let frame = try Self.code(plane, into: room)
            if let frame, Double(frame) <= promised * (1 + Self.frameSlack) {
                (best, mode) = (frame, .zstandard)
            } else {
                EntropyCoder.histogram(plane, into: counts)
                let count = EntropyCoder.encode(plane, counts: counts, into: room)
                if let frame, Double(frame) <= Double(count ?? frame) * (1 + Self.frameSlack) {
                    _ = try Self.code(plane, into: room)
                    (best, mode) = (frame, .zstandard)
                } else if let count {
                    (best, mode) = (count, .entropy)
                } else if mode == .bits {
                    best = Self.pack(plane, width, into: body)
                }
            }
        }
        // What is little by frequencies already may repeat itself too; for noise the fastest search is enough.
        if let level = zstandardLevel.map({ best * 2 < plane.count ? $0 : min($0, 1) }),
            let frame = try Self.compress(plane, level, below: min(best, Int(limit)))
        {
            frame.withUnsafeBytes { body.copyMemory(from: $0) }
            best = frame.count
            mode = .zstandard
        }
        if mode == .raw { body.copyMemory(from: plane) }
        return end(mode, best)
    }

    /// What coding by frequencies promises to take; of a long plane judged by a sample.
    private func promisedBytes(_ plane: UnsafeRawBufferPointer) -> Double {
        let step = plane.count / Self.sampleCount < 4 ? 1 : plane.count / Self.sampleCount
        if step == 1 { EntropyCoder.histogram(plane, into: counts) } else {
            counts.update(repeating: 0, count: 256)
            for index in stride(from: 0, to: plane.count, by: step) { counts[Int(plane[index])] &+= 1 }
        }
        var used = 0.0
        for symbol in 0..<256 where counts[symbol] > 0 { used += 1 }
        // A sample's entropy is too small by (values − 1) / 2 ln 2 bits in all.
        let bits = EntropyCoder.entropyBits(UnsafeBufferPointer(start: counts, count: 256)) + (step == 1 ? 0 : (used - 1) * 0.7213)
        let sampled = Double((plane.count + step - 1) / step)
        return bits / sampled / 8 * Double(plane.count) + 1.2 * used + 18
    }

    /// A zstd frame for a plane that has much to gain by frequencies; nil if it does not fit.
    private static func code(_ plane: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer) throws -> Int? {
        let count = try frequencyCompressors.with {
            ZSTD_compress2($0.pointer, room.baseAddress, room.count, plane.baseAddress, plane.count)
        }
        return ZSTD_isError(count) == 0 ? count : nil
    }

    /// How many of a byte's upper bits are used at all: the lower ones are zero throughout.
    private static func usedBits(_ plane: UnsafeRawBufferPointer) -> Int {
        var union: UInt64 = 0
        let whole = plane.count & ~7
        var index = 0
        while index < whole {
            union |= plane.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            index += 8
        }
        for byte in plane[whole...] { union |= UInt64(byte) }
        union |= union >> 32
        union |= union >> 16
        union |= union >> 8
        return 8 - min(8, UInt8(truncatingIfNeeded: union).trailingZeroBitCount)
    }

    /// Eight values of `width` bits go into `width` bytes, the first into the lowest bits.
    private static func pack(
        _ plane: UnsafeRawBufferPointer, _ width: Int, into body: UnsafeMutableRawBufferPointer
    ) -> Int {
        body[0] = UInt8(width)
        let whole = plane.count & ~7
        cc_pack_bits(
            plane.baseAddress!.assumingMemoryBound(to: UInt8.self), UInt32(width),
            body.baseAddress!.assumingMemoryBound(to: UInt8.self) + 1, whole / 8)
        var position = 1 + whole / 8 * width
        var word: UInt64 = 0
        for lane in whole..<plane.count { word |= UInt64(plane[lane] >> UInt8(8 - width)) << UInt64((lane - whole) * width) }
        for index in 0..<((plane.count - whole) * width + 7) / 8 {
            body[position] = UInt8(truncatingIfNeeded: word >> UInt64(8 * index))
            position += 1
        }
        return position
    }

    private static func compress(_ plane: UnsafeRawBufferPointer, _ level: Int, below limit: Int) throws -> [UInt8]? {
        guard limit > 1 else { return nil }
        var frame = [UInt8](repeating: 0, count: limit - 1)
        let count = try frame.withUnsafeMutableBytes { frame in
            try compressors.with { context in
                try context.set(ZSTD_c_compressionLevel, level)
                return ZSTD_compress2(
                    context.pointer, frame.baseAddress, frame.count, plane.baseAddress, plane.count)
            }
        }
        // An output that does not fit is an error: then another mode is smaller.
        guard ZSTD_isError(count) == 0 else { return nil }
        return Array(frame[..<count])
    }

    // MARK: Decoding

    struct Fault: Error {
        let reason: String
        init(_ reason: String) { self.reason = reason }
    }

    /// Decodes the plane that stands at `position` of `source`, which is moved behind it, and returns where its bytes
    /// are: in `target`, which is as long as the plane, or for a raw plane in `source` itself.
    ///
    /// Throws a `Fault` for anything that is not right. `source` may be read eight bytes past its end.
    func decode(
        _ source: UnsafeRawBufferPointer, at position: inout Int, into target: UnsafeMutableRawBufferPointer
    ) throws -> UnsafePointer<UInt8> {
        guard source.count - position >= 4 else { throw Fault("the end of the block in a plane") }
        let word = UInt32(littleEndian: source.loadUnaligned(fromByteOffset: position, as: UInt32.self))
        let length = Int(word & 0x1fff_ffff)
        position += 4
        guard length <= source.count - position else { throw Fault("a plane longer than its block") }
        let body = UnsafeRawBufferPointer(rebasing: source[position..<position + length])
        position += length
        let count = target.count
        switch Mode(rawValue: word >> 29) {
        case .raw:
            guard length == count else { throw Fault("\(length) raw bytes for a plane of \(count)") }
            return (body.baseAddress ?? UnsafeRawPointer(target.baseAddress!)).assumingMemoryBound(to: UInt8.self)
        case .constant:
            guard length == 1, count > 0 else { throw Fault("a constant plane of \(length) bytes") }
            memset(target.baseAddress!, Int32(body[0]), count)
        case .zstandard:
            guard length < count else { throw Fault("a zstd frame no smaller than its plane") }
            try Self.inflate(body, into: target)
        case .bits:
            guard length > 0, (1...7).contains(body[0]), length == 1 + (count * Int(body[0]) + 7) / 8 else {
                throw Fault("\(length) bytes of packed bits for a plane of \(count)")
            }
            Self.unpack(body, into: target)
        case .entropy:
            guard length < count, EntropyCoder.decode(body, into: target, slots: slots) else {
                throw Fault("entropy-coded bytes that do not fit together")
            }
        case nil: throw Fault("a plane of mode \(word >> 29)")
        }
        return UnsafePointer(target.baseAddress!.assumingMemoryBound(to: UInt8.self))
    }

    private static func unpack(_ body: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) {
        let width = UInt64(body[0])
        let spare = 8 - width
        let mask: UInt64 = 1 << width - 1
        let whole = target.count & ~7
        cc_unpack_bits(
            body.baseAddress!.assumingMemoryBound(to: UInt8.self) + 1, UInt32(width),
            target.baseAddress!.assumingMemoryBound(to: UInt8.self), whole / 8)
        let position = 1 + whole / 8 * Int(width)
        var word: UInt64 = 0
        for index in position..<body.count { word |= UInt64(body[index]) << UInt64(8 * (index - position)) }
        for lane in 0..<(target.count - whole) {
            target[whole + lane] = UInt8(truncatingIfNeeded: (word >> (UInt64(lane) * width) & mask) << spare)
        }
    }

    private static func inflate(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws {
        // ZSTD_decompress accepts several frames in a row; only one may stand here.
        let frame = ZSTD_findFrameCompressedSize(source.baseAddress, source.count)
        guard frame == source.count else { throw Fault("not one zstd frame") }
        let count = try decompressors.with {
            ZSTD_decompressDCtx($0.pointer, target.baseAddress, target.count, source.baseAddress, source.count)
        }
        guard count == target.count else { throw Fault("a zstd frame of another length") }
    }
}
