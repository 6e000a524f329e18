internal import CCodecs
import Foundation

/// Sorts a block's segments, and under a delta its elements by the base's exponent, into classes whose values resemble
/// one another; each class is coded by itself.
///
/// Cost is estimated by an order-0 code of each value's symbol (its exponent, or a residual's length and next two
/// bits), whose remaining bits cost the same in every class.
struct SegmentClasses {
    static let largestBucketCount = 16
    static let symbolCount = 256
    /// Groups by mean symbol that are tried.
    private static let finest = 8
    /// Header, tables and states of one more class, in bits.
    private static let classBits = 8.0 * 70
    /// Groups of segments whose values share a number of trailing zeros.
    private static let truncatedLimit = 4

    /// The class of each segment.
    var classes: [UInt8]
    var count: Int
    /// 1, or 8 or 16 under a delta.
    var bucketCount: Int

    /// What is known of one segment before the classes are made.
    struct Segment {
        /// All values but the sign are zero.
        var isZero = false
        /// Trailing zero bits that all values share.
        var trailingZeros = 0
        var mean = 0.0
    }

    /// - Parameters:
    ///   - segments: facts for each segment.
    ///   - symbols: one for each element, below `symbolCount`.
    ///   - buckets: the base's exponent class of each element, below `largestBucketCount`; nil without a base.
    ///   - length: elements of a segment; the last may be shorter.
    init(
        _ segments: [Segment], symbols: UnsafeBufferPointer<UInt8>, buckets: UnsafeBufferPointer<UInt8>?, length: Int
    ) {
        classes = [UInt8](repeating: 0, count: segments.count)
        var next = 0
        let zeros = segments.indices.filter { segments[$0].isZero }
        for index in zeros { classes[index] = 0 }
        if !zeros.isEmpty { next += 1 }
        var ordinary = segments.indices.filter { !segments[$0].isZero && segments[$0].trailingZeros < 4 }
        let truncated = Dictionary(
            grouping: segments.indices.filter { !segments[$0].isZero && segments[$0].trailingZeros >= 4 },
            by: { segments[$0].trailingZeros }
        ).sorted { ($0.value.count, $0.key) > ($1.value.count, $1.key) }
        for (rank, group) in truncated.enumerated() {
            // Those beyond the limit go with the ordinary ones.
            guard rank < Self.truncatedLimit else {
                ordinary += group.value
                continue
            }
            for index in group.value { classes[index] = UInt8(next) }
            next += 1
        }
        bucketCount = 1
        if !ordinary.isEmpty {
            ordinary.sort { (segments[$0].mean, $0) < (segments[$1].mean, $1) }
            let (groups, buckets) = Self.cheapest(ordinary, symbols, buckets, length)
            bucketCount = buckets
            for (rank, index) in ordinary.enumerated() {
                classes[index] = UInt8(next + rank * groups / ordinary.count)
            }
            next += groups
        }
        count = max(1, next)
    }

    private static func cheapest(
        _ ordinary: [Int], _ symbols: UnsafeBufferPointer<UInt8>, _ buckets: UnsafeBufferPointer<UInt8>?, _ length: Int
    ) -> (groups: Int, buckets: Int) {
        var groups = finest
        while groups > ordinary.count { groups /= 2 }
        var bucketCount = buckets == nil ? 1 : largestBucketCount
        // counts[group][bucket][symbol] for the finest division; coarser ones are sums of neighbours.
        var counts = [UInt32](repeating: 0, count: groups * bucketCount * symbolCount)
        counts.withUnsafeMutableBufferPointer { counts in
            for (rank, index) in ordinary.enumerated() {
                let group = rank * groups / ordinary.count * bucketCount
                let start = index * length
                cc_count_symbols(
                    symbols.baseAddress! + start, buckets.map { $0.baseAddress! + start }, min(length, symbols.count - start),
                    counts.baseAddress! + group * symbolCount)
            }
        }
        var best = (groups: 1, buckets: 1)
        var least = Double.infinity
        while true {
            var current = counts
            var division = groups
            while true {
                let cost = cost(current) + log2(Double(division)) * Double(ordinary.count)
                if cost < least {
                    least = cost
                    best = (division, bucketCount)
                }
                guard division > 1 else { break }
                current = merged(current, division, run: bucketCount * symbolCount)
                division /= 2
            }
            guard bucketCount > 1 else { return best }
            if bucketCount == largestBucketCount {
                counts = clipped(counts, from: bucketCount, to: bucketCount / 2)
                bucketCount /= 2
            } else {
                counts = clipped(counts, from: bucketCount, to: 1)
                bucketCount = 1
            }
        }
    }

    private static func cost(_ counts: [UInt32]) -> Double {
        counts.withUnsafeBufferPointer { counts in
            stride(from: 0, to: counts.count, by: symbolCount).reduce(0) { sum, start in
                let bits = EntropyCoder.entropyBits(
                    UnsafeBufferPointer(rebasing: counts[start..<start + symbolCount]))
                return sum + bits + classBits
            }
        }
    }

    /// Neighbouring groups joined in pairs.
    private static func merged(_ counts: [UInt32], _ groups: Int, run: Int) -> [UInt32] {
        var result = [UInt32](repeating: 0, count: groups / 2 * run)
        for group in 0..<groups { add(counts, group * run, to: &result, group / 2 * run, count: run) }
        return result
    }

    /// Buckets from the last kept one on joined into it.
    private static func clipped(_ counts: [UInt32], from old: Int, to new: Int) -> [UInt32] {
        var result = [UInt32](repeating: 0, count: counts.count / old * new)
        for group in 0..<counts.count / symbolCount / old {
            for bucket in 0..<old {
                add(
                    counts, (group * old + bucket) * symbolCount, to: &result,
                    (group * new + min(bucket, new - 1)) * symbolCount, count: symbolCount)
            }
        }
        return result
    }

    private static func add(_ source: [UInt32], _ from: Int, to target: inout [UInt32], _ start: Int, count: Int) {
        source.withUnsafeBufferPointer { source in
            target.withUnsafeMutableBufferPointer { target in
                for index in 0..<count { target[start &+ index] &+= source[from &+ index] }
            }
        }
    }
}
