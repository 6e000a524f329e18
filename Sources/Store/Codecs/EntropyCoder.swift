internal import CCodecs
import Foundation

/// A static order-0 entropy coder for bytes: range asymmetric numeral systems (rANS) with four interleaved states of 32
/// bits, renewed 16 bits at a time, and frequencies that sum to 4,096.
///
/// Source: J. Duda, *Asymmetric numeral systems* (arXiv:1311.2540); F. Giesen, *Interleaved entropy coders*
/// (arXiv:1402.3392). See <doc:Format> for every byte.
struct EntropyCoder {
    static let precision = 12
    static let total = 1 << precision
    static let stateCount = 4
    private static let low: UInt32 = 1 << 16

    /// Counts how often each value stands in `bytes`. `counts` has room for 1,024 words, of which the first 256 are the
    /// result: four tables take turns, since adding to one place again and again would wait for itself.
    static func histogram(_ bytes: UnsafeRawBufferPointer, into counts: UnsafeMutablePointer<UInt32>) {
        cc_histogram(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, counts)
    }

    /// The bits that ideal coding by these counts would take.
    static func entropyBits(_ counts: UnsafeBufferPointer<UInt32>) -> Double {
        cc_entropy_bits(counts.baseAddress, counts.count)
    }

    /// Frequencies that sum to 4,096, at least one for each value that occurs; at least two values must occur.
    static func normalised(_ counts: UnsafePointer<UInt32>, count: Int) -> [UInt32] {
        var frequencies = [UInt32](repeating: 0, count: 256)
        var sum = 0
        for symbol in 0..<256 where counts[symbol] > 0 {
            let share = (Double(counts[symbol]) * Double(total) / Double(count)).rounded()
            frequencies[symbol] = UInt32(max(1, share))
            sum += Int(frequencies[symbol])
        }
        // What rounding added or left over goes where it costs least: to the largest, one at a time.
        while sum != total {
            let step = sum < total ? 1 : -1
            var best = -1
            var least = Double.infinity
            for symbol in 0..<256 where frequencies[symbol] > (step < 0 ? 1 : 0) {
                let (old, new) = (Double(frequencies[symbol]), Double(Int(frequencies[symbol]) + step))
                let cost = Double(counts[symbol]) * log2(old / new)
                if cost < least { (best, least) = (symbol, cost) }
            }
            frequencies[best] = UInt32(Int(frequencies[best]) + step)
            sum += step
        }
        return frequencies
    }

    /// Encodes `bytes` into `target`; nil if that does not fit. `counts` are the histogram's, with two values or more.
    static func encode(
        _ bytes: UnsafeRawBufferPointer, counts: UnsafePointer<UInt32>, into target: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let frequencies = normalised(counts, count: bytes.count)
        let first = frequencies.firstIndex { $0 > 0 }!
        let last = frequencies.lastIndex { $0 > 0 }!
        var position = 2
        guard target.count >= 2 + 2 * (last - first + 1) + 4 * stateCount else { return nil }
        target[0] = UInt8(first)
        target[1] = UInt8(last)
        for symbol in first...last {
            let frequency = frequencies[symbol]
            if frequency < 128 {
                target[position] = UInt8(frequency)
                position += 1
            } else {
                target[position] = UInt8(frequency & 127 | 128)
                target[position + 1] = UInt8(frequency >> 7)
                position += 2
            }
        }
        // Encoding runs from the last byte to the first and writes words from the end of `target` to the front.
        let head = position + 4 * stateCount
        return withUnsafeTemporaryAllocation(of: cc_rans_symbol.self, capacity: 256) { table in
            var start: UInt32 = 0
            for symbol in 0..<256 {
                table[symbol] = Self.symbol(frequency: frequencies[symbol], start: start)
                start += frequencies[symbol]
            }
            let output = target.baseAddress!.assumingMemoryBound(to: UInt8.self)
            let end = target.count & ~1
            guard end > head else { return nil }
            var states: [UInt32] = [0, 0, 0, 0]
            guard
                let least = cc_rans_encode(
                    bytes.baseAddress!.assumingMemoryBound(to: UInt8.self), bytes.count, table.baseAddress!, output + head,
                    output + end, &states)
            else { return nil }
            for (lane, state) in states.enumerated() {
                target.storeBytes(of: state.littleEndian, toByteOffset: position + 4 * lane, as: UInt32.self)
            }
            let count = output + end - least
            memmove(output + head, least, count)
            return head + count
        }
    }

    private static func symbol(frequency: UInt32, start: UInt32) -> cc_rans_symbol {
        // For x < f · 2^20 and f < 2^12 the product x · ⌈2^44 / f⌉ fits 64 bits, and its upper 20 are exactly ⌊x / f⌋.
        let reciprocal = frequency == 0 ? 0 : ((1 << 44) + UInt64(frequency) - 1) / UInt64(frequency)
        return cc_rans_symbol(
            reciprocal: reciprocal, start: start, complement: UInt32(total) - frequency, limit: frequency << 20, unused: 0)
    }

    // MARK: Decoding

    /// Decodes exactly `target.count` bytes from all of `source`; false if anything is not exactly right.
    ///
    /// `slots` has room for 4,096 words: for each residue of a state its value (bits 0 to 7), frequency (8 to 19) and
    /// distance from the value's start (20 to 31).
    static func decode(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer,
        slots: UnsafeMutablePointer<UInt32>
    ) -> Bool {
        guard source.count >= 2, source[0] < source[1] else { return false }
        var position = 2
        var start = 0
        for symbol in UInt32(source[0])...UInt32(source[1]) {
            guard position < source.count else { return false }
            var frequency = UInt32(source[position])
            position += 1
            if frequency >= 128 {
                guard position < source.count, source[position] > 0 else { return false }
                frequency = frequency & 127 | UInt32(source[position]) << 7
                position += 1
            }
            // A frequency of 4,096 would not fit its field; such a plane is constant and never coded here.
            guard frequency < UInt32(total), start + Int(frequency) <= total else { return false }
            for distance in 0..<frequency {
                slots[start + Int(distance)] = symbol | frequency << 8 | distance << 20
            }
            start += Int(frequency)
        }
        guard start == total, source.count >= position + 4 * stateCount else { return false }
        var states = (0..<stateCount).map {
            UInt32(littleEndian: source.loadUnaligned(fromByteOffset: position + 4 * $0, as: UInt32.self))
        }
        guard states.allSatisfy({ $0 >= low }) else { return false }
        position += 4 * stateCount
        let rest = source.count - position
        guard rest & 1 == 0, let output = target.baseAddress else { return false }
        let taken = cc_rans_decode(
            source.baseAddress!.assumingMemoryBound(to: UInt8.self) + position, rest / 2, &states, slots,
            output.assumingMemoryBound(to: UInt8.self), target.count)
        return taken == rest / 2 && states.allSatisfy { $0 == low }
    }
}
