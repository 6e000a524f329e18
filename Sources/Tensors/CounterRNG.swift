internal import CKernels
#if canImport(Glibc)
import Glibc
#endif

/// Random numbers as a pure function of a counter: no state to save, the same at any thread count, after any resume.
public enum CounterRNG {
    /// One key for (seed, step, site).
    public static func key(seed: UInt64, step: UInt64, site: UInt64) -> UInt64 { ck_dropout_key(seed, step, site) }

    /// 32 random bits of one element.
    public static func bits(key: UInt64, example: Int32, position: Int32, feature: Int32) -> UInt32 {
        ck_dropout_bits(key, example, position, feature)
    }

    /// An element is kept by dropout when its bits are at least this.
    public static func dropoutThreshold(_ probability: Float) -> UInt32 { ck_dropout_threshold(probability) }

    /// Uniform in (0, 1): 32 bits and a half.
    public static func uniform(key: UInt64, index: Int) -> Double {
        uniform(bits: ck_dropout_bits(key, Int32(truncatingIfNeeded: index >> 20), 0, Int32(index & 0xFFFFF)))
    }

    public static func uniform(bits: UInt32) -> Double { (Double(bits) + 0.5) / 4_294_967_296 }

    /// Normal around 0 from two uniform numbers, after Box and Muller.
    public static func normal(_ u: Double, _ v: Double, deviation: Double) -> Double {
        deviation * (-2 * log(u)).squareRoot() * cos(2 * Double.pi * v)
    }

    /// A permutation of 0 ..< count by Fisher and Yates.
    public static func permutation(count: Int, key: UInt64) -> [Int] {
        var order = Array(0..<count)
        guard count > 1 else { return order }
        for i in stride(from: count - 1, to: 0, by: -1) {
            let high = UInt64(ck_dropout_bits(key, 1, Int32(truncatingIfNeeded: i >> 20), Int32(i & 0xFFFFF)))
            let low = UInt64(ck_dropout_bits(key, 2, Int32(truncatingIfNeeded: i >> 20), Int32(i & 0xFFFFF)))
            let j = Int((high << 32 | low).multipliedFullWidth(by: UInt64(i + 1)).high)
            order.swapAt(i, j)
        }
        return order
    }
}
