import CZstd
import Foundation

/// The work space for one block of the planes codec; used by one thread at a time.
///
/// Encoded form: for each plane from the lowest byte to the highest a 32-bit word, the two highest bits telling the
/// mode
/// (0 raw, 1 constant, 2 zstd) and the others the count of bytes that follow; then the bytes past the last whole
/// element, raw.
final class PlanesBlock {
    private enum Mode: UInt32 { case raw, constant, zstandard }

    private let width: Int
    /// The planes of a block one after another, each at a fixed distance.
    private var planes: [UInt8]
    private let stride: Int
    /// The block's encoded bytes.
    private var encoded: [UInt8]
    private var encodedCount = 0
    private var plainByteCount = 0
    /// What went wrong on the worker's thread.
    private(set) var fault: String?

    private static let compressors = ContextPool { try CompressionContext() }
    private static let decompressors = ContextPool { try DecompressionContext() }

    init(width: Int) {
        self.width = width
        stride = PlanesCodec.blockByteCount / width
        planes = [UInt8](repeating: 0, count: PlanesCodec.blockByteCount)
        encoded = [UInt8](repeating: 0, count: PlanesCodec.blockByteCount + 4 * width + width)
    }

    func emit(_ sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        try encoded.withUnsafeBytes { try sink(UnsafeRawBufferPointer(rebasing: $0[..<encodedCount])) }
    }

    // MARK: Encoding

    func encode(_ plain: UnsafeRawBufferPointer, rotates: Bool, effort: Effort) {
        fault = nil
        let count = plain.count / width
        planes.withUnsafeMutableBytes { planes in
            switch width {
            case 1: split(plain, UInt8.self, count, rotates, planes)
            case 2: split(plain, UInt16.self, count, rotates, planes)
            case 4: split(plain, UInt32.self, count, rotates, planes)
            default: split(plain, UInt64.self, count, rotates, planes)
            }
        }
        var position = 0
        planes.withUnsafeBytes { planes in
            encoded.withUnsafeMutableBytes { encoded in
                for plane in 0..<width {
                    let bytes = UnsafeRawBufferPointer(rebasing: planes[plane * stride..<plane * stride + count])
                    let target = UnsafeMutableRawBufferPointer(rebasing: encoded[(position + 4)...])
                    let (mode, length) = encode(plane: bytes, into: target, effort: effort)
                    let word = (mode.rawValue << 30 | UInt32(length)).littleEndian
                    encoded.storeBytes(of: word, toByteOffset: position, as: UInt32.self)
                    position += 4 + length
                }
                for index in count * width..<plain.count {
                    encoded[position] = plain[index]
                    position += 1
                }
            }
        }
        encodedCount = position
    }

    private func split<Word: FixedWidthInteger>(
        _ plain: UnsafeRawBufferPointer, _ type: Word.Type, _ count: Int, _ rotates: Bool,
        _ planes: UnsafeMutableRawBufferPointer
    ) {
        guard count > 0, let source = plain.baseAddress, let target = planes.baseAddress else { return }
        let top = Word(Word.bitWidth - 1)
        let width = MemoryLayout<Word>.size
        for plane in 0..<width {
            let shift = Word(plane * 8)
            let output = (target + plane * stride).assumingMemoryBound(to: UInt8.self)
            if rotates {
                for index in 0..<count {
                    let word = Word(littleEndian: source.loadUnaligned(fromByteOffset: index &* width, as: type))
                    output[index] = UInt8(truncatingIfNeeded: (word &<< 1 | word &>> top) &>> shift)
                }
            } else {
                for index in 0..<count {
                    let word = Word(littleEndian: source.loadUnaligned(fromByteOffset: index &* width, as: type))
                    output[index] = UInt8(truncatingIfNeeded: word &>> shift)
                }
            }
        }
    }

    private func encode(
        plane: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, effort: Effort
    ) -> (Mode, Int) {
        guard let first = plane.first else { return (.raw, 0) }
        if isConstant(plane) {
            target[0] = first
            return (.constant, 1)
        }
        // Coming out smaller is asked of zstd itself: an output that does not fit is an error, and then the plane
        // stays raw.
        let limit = plane.count - plane.count / 64 - 1
        if limit > 0, Self.isCompressible(plane) {
            do {
                let count = try Self.compressors.with { context in
                    try context.set(ZSTD_c_compressionLevel, Self.level(effort))
                    return ZSTD_compress2(context.pointer, target.baseAddress, limit, plane.baseAddress, plane.count)
                }
                if ZSTD_isError(count) == 0 { return (.zstandard, count) }
            } catch {
                fault = "\(error)"
            }
        }
        target.copyMemory(from: plane)
        return (.raw, plane.count)
    }

    private static func level(_ effort: Effort) -> Int {
        switch effort {
        case .fast: 1
        case .standard: 1
        case .strong: 19
        }
    }

    private func isConstant(_ plane: UnsafeRawBufferPointer) -> Bool {
        plane.count == 1
            || memcmp(plane.baseAddress!, plane.baseAddress! + 1, plane.count - 1) == 0
    }

    /// Whether the bytes are far enough from uniform, or repeat: low mantissa bytes are neither and would only cost
    /// time.
    private static func isCompressible(_ plane: UnsafeRawBufferPointer) -> Bool {
        guard plane.count >= 4096 else { return true }
        // Pairs of equal distance betray repetition that single bytes do not; 4,096 samples tell 1 % from noise.
        var counts = [Int32](repeating: 0, count: 256)
        let step = plane.count / 4096
        for index in 0..<4096 { counts[Int(plane[index * step])] += 1 }
        // For uniform bytes the expectation is 4096 · 16 + 4096, with a standard deviation near 360.
        let collisions = counts.reduce(0) { $0 + Int($1) * Int($1) }
        if collisions > 4096 * 17 + 2500 { return true }
        let half = plane.count / 2
        return memcmp(plane.baseAddress!, plane.baseAddress! + half, 64) == 0
    }

    // MARK: Decoding

    /// Takes one block's encoded bytes from `source`, checking every length before it is used.
    func read(from source: EncodedSource, plainByteCount: Int) throws {
        fault = nil
        self.plainByteCount = plainByteCount
        let count = plainByteCount / width
        var position = 0
        try encoded.withUnsafeMutableBytes { encoded in
            for _ in 0..<width {
                try source.read(into: UnsafeMutableRawBufferPointer(rebasing: encoded[position..<position + 4]))
                let word = UInt32(littleEndian: encoded.loadUnaligned(fromByteOffset: position, as: UInt32.self))
                let length = Int(word & 0x3fff_ffff)
                let isValid: Bool
                switch Mode(rawValue: word >> 30) {
                case .raw: isValid = length == count
                case .constant: isValid = length == 1 && count > 0
                case .zstandard: isValid = length < count
                case nil: isValid = false
                }
                guard isValid else { throw source.damage("a plane of \(count) bytes", "\(length), mode \(word >> 30)") }
                position += 4
                try source.read(into: UnsafeMutableRawBufferPointer(rebasing: encoded[position..<position + length]))
                position += length
            }
            let tail = plainByteCount - count * width
            try source.read(into: UnsafeMutableRawBufferPointer(rebasing: encoded[position..<position + tail]))
            encodedCount = position + tail
        }
    }

    func decode(into plain: UnsafeMutableRawBufferPointer, rotates: Bool) {
        let count = plainByteCount / width
        var position = 0
        planes.withUnsafeMutableBytes { planes in
            encoded.withUnsafeBytes { encoded in
                for plane in 0..<width {
                    let word = UInt32(littleEndian: encoded.loadUnaligned(fromByteOffset: position, as: UInt32.self))
                    let length = Int(word & 0x3fff_ffff)
                    let source = UnsafeRawBufferPointer(rebasing: encoded[position + 4..<position + 4 + length])
                    let target = UnsafeMutableRawBufferPointer(
                        rebasing: planes[plane * stride..<plane * stride + count])
                    switch Mode(rawValue: word >> 30) {
                    case .raw: target.copyMemory(from: source)
                    case .constant: memset(target.baseAddress!, Int32(source[0]), count)
                    default: inflate(source, into: target)
                    }
                    position += 4 + length
                }
                for index in count * width..<plainByteCount {
                    plain[index] = encoded[position]
                    position += 1
                }
            }
            guard fault == nil else { return }
            switch width {
            case 1: join(planes, UInt8.self, count, rotates, plain)
            case 2: join(planes, UInt16.self, count, rotates, plain)
            case 4: join(planes, UInt32.self, count, rotates, plain)
            default: join(planes, UInt64.self, count, rotates, plain)
            }
        }
    }

    private func inflate(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) {
        // ZSTD_decompress accepts several frames in a row; only one may stand here.
        let frame = ZSTD_findFrameCompressedSize(source.baseAddress, source.count)
        guard frame == source.count else {
            fault = "not one zstd frame"
            return
        }
        do {
            let count = try Self.decompressors.with {
                ZSTD_decompressDCtx($0.pointer, target.baseAddress, target.count, source.baseAddress, source.count)
            }
            if count != target.count { fault = "a zstd frame of another length" }
        } catch {
            fault = "\(error)"
        }
    }

    private func join<Word: FixedWidthInteger>(
        _ planes: UnsafeMutableRawBufferPointer, _ type: Word.Type, _ count: Int, _ rotates: Bool,
        _ plain: UnsafeMutableRawBufferPointer
    ) {
        guard count > 0, let source = planes.baseAddress?.assumingMemoryBound(to: UInt8.self),
            let target = plain.baseAddress
        else { return }
        let top = Word(Word.bitWidth - 1)
        // A constant after specialisation, so that the inner loop unrolls.
        let width = MemoryLayout<Word>.size
        let stride = PlanesCodec.blockByteCount / width
        for index in 0..<count {
            var word: Word = 0
            for plane in 0..<width {
                word |= Word(truncatingIfNeeded: source[plane &* stride &+ index]) &<< Word(plane &* 8)
            }
            if rotates { word = word &>> 1 | word &<< top }
            target.storeBytes(of: word.littleEndian, toByteOffset: index &* width, as: type)
        }
    }
}
