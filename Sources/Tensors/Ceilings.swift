internal import CKernels
#if canImport(Glibc)
import Glibc
#else
import Foundation
#endif

/// What this machine's processors can do at best, measured: nothing that a step does is faster.
extension CPUBackend {
    /// Floating-point operations a second of the register kernel of `precision` on panels in the first-level cache, on all threads.
    ///
    /// - Parameter seconds: about how long to measure; the best of five parts counts.
    public func productCeiling(_ precision: Precision, seconds: Double = 0.25) -> Double {
        let format: ck_format = precision == .bf16 ? CK_BF16 : CK_FP32
        var rounds: Int64 = 64
        while true {
            let begin = Self.now
            _ = ck_ceiling(context, format, rounds)
            if Self.now - begin >= seconds / 5 { break }
            rounds *= 2
        }
        return (0..<5).reduce(0) { best, _ in
            let begin = Self.now, operations = ck_ceiling(context, format, rounds)
            return max(best, operations / (Self.now - begin))
        }
    }

    /// Bytes a second, read and written, of copies between buffers that no cache holds, on all threads; the best of five.
    public func copyCeiling(bytes: Int = 256 << 20) -> Double {
        let from = Buffer(byteCount: bytes), to = Buffer(byteCount: bytes), part = 1 << 20
        memset(from.pointer, 1, bytes)
        nonisolated(unsafe) let (source, target) = (from.pointer, to.pointer)
        func copy() { parallel(bytes / part) { memcpy(target + $0 * part, source + $0 * part, part) } }
        copy()
        return (0..<5).reduce(0) { best, _ in
            let begin = Self.now
            copy()
            return max(best, Double(2 * bytes) / (Self.now - begin))
        }
    }

    /// Seconds of a clock that only runs forward.
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }
}
