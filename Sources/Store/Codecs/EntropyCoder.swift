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
        counts.update(repeating: 0, count: 1024)
        let whole = bytes.count & ~7
        var index = 0
        while index < whole {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            for lane in UInt64(0)..<8 {
                counts[Int(truncatingIfNeeded: (lane & 3) &<< 8 | word &>> (lane &* 8) & 255)] &+= 1
            }
            index &+= 8
        }
        for byte in bytes[whole...] { counts[Int(byte)] += 1 }
        for symbol in 0..<256 {
            counts[symbol] += counts[256 + symbol] + counts[512 + symbol] + counts[768 + symbol]
        }
    }

    /// The bits that ideal coding by these counts would take.
    static func entropyBits(_ counts: UnsafeBufferPointer<UInt32>) -> Double {
        var sum = 0.0
        var weighted = 0.0
        for count in counts where count > 0 {
            let value = Double(count)
            sum += value
            weighted += value * log2(value)
        }
        return sum > 0 ? sum * log2(sum) - weighted : 0
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
        return withUnsafeTemporaryAllocation(of: Symbol.self, capacity: 256) { table in
            var start: UInt32 = 0
            for symbol in 0..<256 {
                table[symbol] = Symbol(frequency: frequencies[symbol], start: start)
                start += frequencies[symbol]
            }
            var end = target.count & ~1
            let output = target.baseAddress!
            /// One value into one state; false if there is no more room.
            @inline(__always) func put(_ byte: UInt8, _ state: inout UInt32) -> Bool {
                let symbol = table[Int(byte)]
                if state >= symbol.limit {
                    guard end >= head &+ 2 else { return false }
                    end &-= 2
                    output.storeBytes(
                        of: UInt16(truncatingIfNeeded: state).littleEndian, toByteOffset: end, as: UInt16.self)
                    state &>>= 16
                }
                state = state &+ symbol.start &+ symbol.quotient(of: state) &* symbol.complement
                return true
            }
            var (a, b, c, d) = (low, low, low, low)
            var index = bytes.count & ~3
            if bytes.count & 3 > 2, !put(bytes[index + 2], &c) { return nil }
            if bytes.count & 3 > 1, !put(bytes[index + 1], &b) { return nil }
            if bytes.count & 3 > 0, !put(bytes[index], &a) { return nil }
            while index > 0 {
                index &-= 4
                guard put(bytes[index &+ 3], &d), put(bytes[index &+ 2], &c), put(bytes[index &+ 1], &b),
                    put(bytes[index], &a)
                else { return nil }
            }
            for (lane, state) in [a, b, c, d].enumerated() {
                output.storeBytes(of: state.littleEndian, toByteOffset: position + 4 * lane, as: UInt32.self)
            }
            let count = (target.count & ~1) - end
            memmove(output + head, output + end, count)
            return head + count
        }
    }

    private struct Symbol {
        var start: UInt32
        /// 4,096 less the frequency: state + start + quotient · complement is the coded state.
        var complement: UInt32
        /// From this state on, 16 bits must go out first.
        var limit: UInt32
        private var reciprocal: UInt64

        init(frequency: UInt32, start: UInt32) {
            self.start = start
            complement = UInt32(total) - frequency
            limit = frequency << 20
            // For x < f · 2^20 and f < 2^12 the product x · ⌈2^44 / f⌉ fits 64 bits, and its upper 20 are exactly ⌊x / f⌋.
            reciprocal = frequency == 0 ? 0 : ((1 << 44) + UInt64(frequency) - 1) / UInt64(frequency)
        }

        @inline(__always) func quotient(of state: UInt32) -> UInt32 {
            UInt32(truncatingIfNeeded: (UInt64(state) &* reciprocal) &>> 44)
        }
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
        func state(_ lane: Int) -> UInt32 {
            UInt32(littleEndian: source.loadUnaligned(fromByteOffset: position + 4 * lane, as: UInt32.self))
        }
        var (a, b, c, d) = (state(0), state(1), state(2), state(3))
        guard min(a, b, c, d) >= low else { return false }
        var next = position + 4 * stateCount
        let end = source.count
        let (input, output) = (source.baseAddress!, target.baseAddress!)
        let table = UnsafePointer(slots)
        var index = 0
        let whole = target.count & ~3
        while index < whole, next &+ 8 <= end {
            let (s0, s1) = (table[Int(a & 4095)], table[Int(b & 4095)])
            let (s2, s3) = (table[Int(c & 4095)], table[Int(d & 4095)])
            let four = s0 & 255 | (s1 & 255) &<< 8 | (s2 & 255) &<< 16 | s3 &<< 24
            output.storeBytes(of: four.littleEndian, toByteOffset: index, as: UInt32.self)
            a = advance(a, s0, input, &next)
            b = advance(b, s1, input, &next)
            c = advance(c, s2, input, &next)
            d = advance(d, s3, input, &next)
            index &+= 4
        }
        // The last ones, where a word may be missing.
        var states = (a, b, c, d)
        return withUnsafeMutableBytes(of: &states) { bytes in
            let states = bytes.assumingMemoryBound(to: UInt32.self)
            while index < target.count {
                let slot = table[Int(states[index & 3] & 4095)]
                output.storeBytes(of: UInt8(truncatingIfNeeded: slot), toByteOffset: index, as: UInt8.self)
                var state = ((slot &>> 8) & 4095) &* (states[index & 3] &>> 12) &+ slot &>> 20
                if state < low {
                    guard next + 2 <= end else { return false }
                    state = state &<< 16 | UInt32(
                        UInt16(littleEndian: input.loadUnaligned(fromByteOffset: next, as: UInt16.self)))
                    next += 2
                }
                states[index & 3] = state
                index += 1
            }
            return next == end && states.allSatisfy { $0 == low }
        }
    }

    /// The state after a value has been taken. The word is read whether it is needed or not, so that nothing branches.
    @inline(__always)
    private static func advance(
        _ state: UInt32, _ slot: UInt32, _ input: UnsafeRawPointer, _ next: inout Int
    ) -> UInt32 {
        let state = ((slot &>> 8) & 4095) &* (state &>> 12) &+ slot &>> 20
        let word = UInt32(UInt16(littleEndian: input.loadUnaligned(fromByteOffset: next, as: UInt16.self)))
        let isShort = state < low
        next &+= isShort ? 2 : 0
        return isShort ? state &<< 16 | word : state
    }
}
