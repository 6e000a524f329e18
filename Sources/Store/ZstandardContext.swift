import CZstd
import Synchronization

/// A compression context of libzstd, released with its last reference.
final class CompressionContext {
    let pointer: OpaquePointer

    init() throws {
        guard let pointer = ZSTD_createCCtx() else { throw StoreError.zstandard("make a compressor", "no memory") }
        self.pointer = pointer
    }

    deinit { ZSTD_freeCCtx(pointer) }

    func set(_ parameter: ZSTD_cParameter, _ value: Int) throws {
        let code = ZSTD_CCtx_setParameter(pointer, parameter, Int32(value))
        if ZSTD_isError(code) != 0 { throw StoreError.zstandard("set up a compressor", code) }
    }
}

/// A decompression context of libzstd with a bounded window, released with its last reference.
final class DecompressionContext {
    /// No frame of ours needs more than 8 MiB of history; one that asks for more is refused.
    static let largestWindowLog = 23

    let pointer: OpaquePointer

    init() throws {
        guard let pointer = ZSTD_createDCtx() else { throw StoreError.zstandard("make a decompressor", "no memory") }
        self.pointer = pointer
        let code = ZSTD_DCtx_setParameter(pointer, ZSTD_d_windowLogMax, Int32(Self.largestWindowLog))
        if ZSTD_isError(code) != 0 { throw StoreError.zstandard("set up a decompressor", code) }
    }

    deinit { ZSTD_freeDCtx(pointer) }
}

/// Contexts that wait to be used again: making one costs more than a small block does.
final class ContextPool<Context>: Sendable {
    private struct Idle: @unchecked Sendable { var contexts: [Context] = [] }

    private let idle = Mutex(Idle())
    private let make: @Sendable () throws -> Context

    init(make: @escaping @Sendable () throws -> Context) { self.make = make }

    /// A context belongs to one caller at a time.
    func with<Result>(_ body: (Context) throws -> Result) throws -> Result {
        let box = idle.withLock { Box($0.contexts.popLast()) }
        let context = try box.context ?? make()
        defer {
            let back = Box(context)
            idle.withLock { $0.contexts.append(back.context!) }
        }
        return try body(context)
    }

    private struct Box: @unchecked Sendable {
        let context: Context?
        init(_ context: Context?) { self.context = context }
    }
}

extension StoreError {
    static func zstandard(_ operation: String, _ code: Int) -> StoreError {
        zstandard(operation, String(cString: ZSTD_getErrorName(code)))
    }

    static func zstandard(_ operation: String, _ reason: String) -> StoreError {
        StoreError(.inputOutput, operation: operation, found: "zstd: \(reason)")
    }
}
