import CZstd
import Foundation

/// One zstd frame (RFC 8878) with a window of at most 8 MiB; nothing before it, nothing after it.
struct ZstandardCodec: BlobCodec {
    static let identifier: UInt16 = 1
    static let name = "zstd"

    var parameters: UInt32 { 0 }

    init() {}

    init?(parameters: UInt32) { if parameters != 0 { return nil } }

    func makeEncoder(effort: Effort) throws -> any BlobEncoder { try Encoder(effort: effort) }

    static func level(_ effort: Effort) -> Int {
        switch effort {
        case .fast: 1
        case .standard: 6
        case .strong: 19
        }
    }

    func decode(
        _ source: EncodedSource, plainByteCount: Int, window: UnsafeMutableRawBufferPointer,
        emit: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let context = try DecompressionContext()
        let isWhole = window.count >= plainByteCount
        // Once everything has come out, the frame may still have an epilogue, which must not bring another byte.
        var spare: UInt8 = 0
        var done = 0
        var isEnded = false
        while !isEnded {
            guard source.remaining > 0 || done < plainByteCount else {
                throw source.damage("the end of a frame", "none")
            }
            let start = isWhole ? done : 0
            let capacity = min(plainByteCount - done, window.count - start, BlobCodecs.smallestWindow)
            var produced = 0
            try source.withNext { input in
                try withUnsafeMutableBytes(of: &spare) { spare in
                    let target = capacity > 0 ? window.baseAddress! + start : spare.baseAddress!
                    var output = ZSTD_outBuffer(dst: target, size: max(1, capacity), pos: 0)
                    var chunk = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
                    let code = ZSTD_decompressStream(context.pointer, &output, &chunk)
                    if ZSTD_isError(code) != 0 {
                        throw source.damage("a zstd frame", String(cString: ZSTD_getErrorName(code)))
                    }
                    isEnded = code == 0
                    produced = output.pos
                    guard produced <= capacity else { throw source.damage("\(plainByteCount) bytes", "more") }
                    guard isEnded || produced > 0 || chunk.pos > 0 else {
                        throw source.damage("a whole frame", "a part")
                    }
                    return chunk.pos
                }
            }
            if produced > 0 {
                try emit(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(window)[start..<start + produced]))
            }
            done += produced
        }
        guard done == plainByteCount else { throw source.damage("\(plainByteCount) bytes", "\(done)") }
        guard source.remaining == 0 else { throw source.damage("nothing after the frame", "\(source.remaining) bytes") }
    }

    private final class Encoder: BlobEncoder {
        private let context: CompressionContext
        private var output = [UInt8](repeating: 0, count: 256 << 10)
        private let workers: Int
        private var isThreaded = false

        init(effort: Effort) throws {
            context = try CompressionContext()
            try context.set(ZSTD_c_compressionLevel, ZstandardCodec.level(effort))
            try context.set(ZSTD_c_windowLog, effort == .strong ? DecompressionContext.largestWindowLog : 21)
            workers = ProcessInfo.processInfo.activeProcessorCount
        }

        func append(_ plain: UnsafeRawBufferPointer, emit: (UnsafeRawBufferPointer) throws -> Void) throws {
            // Workers cost memory and a start; below a few megabytes one thread is done sooner.
            if !isThreaded, plain.count >= 4 << 20, workers > 1 {
                // Refused by a library built without threads, or once the frame has begun: then one thread does it.
                try? context.set(ZSTD_c_nbWorkers, workers)
            }
            isThreaded = true
            try run(plain, ZSTD_e_continue, emit: emit)
        }

        func finish(emit: (UnsafeRawBufferPointer) throws -> Void) throws {
            try run(UnsafeRawBufferPointer(start: nil, count: 0), ZSTD_e_end, emit: emit)
        }

        private func run(
            _ plain: UnsafeRawBufferPointer, _ directive: ZSTD_EndDirective,
            emit: (UnsafeRawBufferPointer) throws -> Void
        ) throws {
            var input = ZSTD_inBuffer(src: plain.baseAddress, size: plain.count, pos: 0)
            var left = 1
            repeat {
                try output.withUnsafeMutableBytes { bytes in
                    var target = ZSTD_outBuffer(dst: bytes.baseAddress, size: bytes.count, pos: 0)
                    left = ZSTD_compressStream2(context.pointer, &target, &input, directive)
                    if ZSTD_isError(left) != 0 { throw StoreError.zstandard("compress", left) }
                    if target.pos > 0 { try emit(UnsafeRawBufferPointer(rebasing: bytes[..<target.pos])) }
                }
            } while directive == ZSTD_e_end ? left > 0 : input.pos < input.size
        }
    }
}
