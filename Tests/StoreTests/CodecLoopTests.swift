import CCodecs
import Foundation
import Testing

@testable import Store

/// The loops in C against plain twins, element by element, for ordinary and odd floats and for lengths around the widths that a
/// processor takes at once.
@Suite struct CodecLoopTests {
    static let counts = [0, 1, 3, 7, 8, 9, 31, 64, 1000, 4099]

    static func words(_ count: Int, seed: UInt64) -> [UInt32] {
        var generator = SeededGenerator(seed: seed)
        return generator.oddFloats(count).withUnsafeBytes { Array($0.bindMemory(to: UInt32.self)) }
    }

    @Test(arguments: counts) func `planes are split and joined again`(_ count: Int) {
        let words = Self.words(count, seed: 1)
        var planes = [UInt8](repeating: 0, count: 4 * count + 4)
        cc_split_planes(words, &planes, count, count)
        for plane in 0..<4 {
            #expect(Array(planes[plane * count..<(plane + 1) * count]) == words.map { UInt8($0 >> (8 * plane) & 255) })
        }
        for shift in [UInt32(0), 5] {
            var joined = [UInt32](repeating: 0, count: count)
            planes.withUnsafeBufferPointer { bytes in
                cc_join_planes((0..<4).map { bytes.baseAddress! + $0 * count }, &joined, count, shift)
            }
            #expect(joined == words.map { $0 >> shift })
        }
    }

    @Test(arguments: counts) func `floats become words with their exponents and come back`(_ count: Int) {
        let plain = Self.words(count, seed: 2)
        var words = [UInt32](repeating: 0, count: count), symbols = [UInt8](repeating: 0, count: count)
        cc_float_words(plain, &words, &symbols, count)
        #expect(words == plain.map { $0 << 1 | $0 >> 31 })
        #expect(symbols == plain.map { UInt8($0 >> 23 & 255) })
        var planes = [UInt8](repeating: 0, count: 4 * count + 4)
        cc_split_planes(words, &planes, count, count)
        for (shift, offset, zeros) in [(0, 0, 0), (5, 77, 3)] as [(UInt32, UInt32, UInt32)] {
            var elements = [UInt32](repeating: 0, count: count)
            planes.withUnsafeBufferPointer { bytes in
                cc_join_floats((0..<4).map { bytes.baseAddress! + $0 * count }, &elements, count, shift, offset, zeros)
            }
            let expected = words.map { word in
                let value = word >> shift
                return ((value >> 1 &+ offset) << zeros & 0x7fff_ffff) | value << 31
            }
            #expect(elements == expected)
            if shift == 0 { #expect(elements == plain) }
        }
    }

    @Test(arguments: counts, [1, 0.999_999_1, 1.5]) func `differences have the twin's words and lead back`(_ count: Int, _ factor: Double) {
        let (fresh, base) = (Self.words(count, seed: 4), Self.words(count, seed: 5))
        var words = [UInt32](repeating: 0, count: count), symbols = [UInt8](repeating: 0, count: count)
        cc_delta_words(fresh, base, factor, &words, &symbols, count)
        let prediction = FloatPrediction(factor: factor)
        for index in 0..<count {
            let expected = factor == 1 ? base[index] : prediction(base[index])
            let word = zigzag(ordered(fresh[index]) &- ordered(expected))
            let zeros = word.leadingZeroBitCount
            let next = zeros < 31 ? (word << UInt32(zeros + 1)) >> 30 : 0
            #expect(words[index] == word)
            #expect(symbols[index] == UInt8((32 - zeros) * 4 + Int(next)))
        }
        var result = [UInt32](repeating: 0, count: count)
        cc_delta_apply(base, words, factor, &result, count)
        #expect(result == fresh)
    }

    @Test(arguments: counts) func `elements go to their base's bucket and come back`(_ count: Int) {
        let base = Self.words(count, seed: 6), words = Self.words(count, seed: 7)
        var buckets = [UInt8](repeating: 0, count: count)
        cc_delta_buckets(base, &buckets, count, 130, 16)
        #expect(buckets == base.map { UInt8(min(max(130 - Int($0 >> 23 & 255), 0), 15)) })
        var counted = [UInt32](repeating: 0, count: 16)
        cc_count_buckets(buckets, count, &counted, 16)
        #expect(counted == (0..<16).map { bucket in UInt32(buckets.count { $0 == bucket }) })
        var many = [UInt32](repeating: 3, count: 17)
        cc_count_buckets(buckets, count, &many, 17)
        #expect(many == counted.map { $0 + 3 } + [3])
        var starts: [UInt32] = [0]
        for count in counted.dropLast() { starts.append(starts.last! + count) }
        var (cursors, classed) = (starts, [UInt32](repeating: 0, count: count))
        cc_scatter_buckets(words, &cursors, buckets, &classed, count)
        #expect(classed == (0..<16).flatMap { bucket in buckets.indices.filter { buckets[$0] == bucket }.map { words[$0] } })
        var gathered = [UInt32](repeating: 0, count: count)
        cc_gather_buckets(classed, &starts, buckets, &gathered, count)
        #expect(gathered == words)
    }

    @Test(arguments: counts) func `symbols and upper bytes are counted`(_ count: Int) {
        let words = Self.words(count, seed: 10)
        let (symbols, buckets) = (words.map { UInt8($0 >> 7 & 255) }, words.map { UInt8($0 >> 3 & 3) })
        var counts = [UInt32](repeating: 1, count: 1024)
        cc_count_symbols(symbols, buckets, count, &counts)
        var expected = [UInt32](repeating: 1, count: 1024)
        for index in 0..<count { expected[256 * Int(buckets[index]) + Int(symbols[index])] += 1 }
        #expect(counts == expected)
        cc_count_symbols(symbols, nil, count, &counts)
        for symbol in symbols { expected[Int(symbol)] += 1 }
        #expect(counts == expected)
        for (step, shift) in [(1, 0), (3, 9)] {
            var counts = [UInt32](repeating: 7, count: 512), expected = [UInt32](repeating: 0, count: 512)
            cc_count_upper(words, count, step, UInt32(shift), &counts)
            for index in stride(from: 0, to: count, by: step) {
                let word = words[index] << UInt32(shift)
                expected[Int(word >> 24)] += 1
                expected[256 + Int(word >> 16 & 255)] += 1
            }
            #expect(counts == expected)
        }
    }

    @Test(arguments: [0, 1, 7, 8, 9, 256]) func `entropy is that of the logarithm`(_ count: Int) {
        var generator = SeededGenerator(seed: 11)
        for largest in [1, 2, 3, 100, 1 << 20] as [UInt32] {
            let counts = (0..<count).map { _ in UInt32.random(in: 0...largest, using: &generator) }
            let sum = counts.reduce(0.0) { $0 + Double($1) }
            let expected = counts.reduce(0.0) { $1 == 0 ? $0 : $0 + Double($1) * log2(sum / Double($1)) }
            #expect(abs(cc_entropy_bits(counts, count) - expected) <= 2e-6 * sum * log2(sum + 2), "\(largest)")
        }
    }

    @Test(arguments: 1...7) func `bits are packed as they are unpacked`(_ width: Int) {
        var generator = SeededGenerator(seed: 12)
        let plain = generator.bytes(72).map { $0 & ~(0xFF >> UInt8(width)) }
        var packed = [UInt8](repeating: 0, count: 9 * width + 8), again = [UInt8](repeating: 0, count: 72)
        cc_pack_bits(plain, UInt32(width), &packed, 9)
        cc_unpack_bits(packed, UInt32(width), &again, 9)
        #expect(again == plain)
    }

    @Test(arguments: 1...7) func `packed bits come out in the upper bits`(_ width: Int) {
        var generator = SeededGenerator(seed: 8)
        let source = generator.bytes(width * 9 + 8)
        var target = [UInt8](repeating: 0, count: 72)
        cc_unpack_bits(source, UInt32(width), &target, 9)
        let expected = (0..<72).map { value -> UInt8 in
            (0..<width).reduce(0) { sum, bit in
                let place = value * width + bit
                return sum | (source[place / 8] >> UInt8(place % 8) & 1) << UInt8(8 - width + bit)
            }
        }
        #expect(target == expected)
    }

    /// As the format page has it: one state after the other, a word where a state is short.
    private static func decode(_ words: [UInt16], _ states: [UInt32], _ frequencies: [(value: UInt8, frequency: UInt32)], _ count: Int) -> [UInt8] {
        var (states, next, result) = (states, 0, [UInt8]())
        for index in 0..<count {
            let x = states[index % 4], r = x & 4095
            var start: UInt32 = 0
            let found = frequencies.first { row in
                if r < start + row.frequency { return true }
                start += row.frequency
                return false
            }!
            var state = found.frequency * (x >> 12) + r - start
            if state < 65536 {
                state = state << 16 | UInt32(words[next])
                next += 1
            }
            states[index % 4] = state
            result.append(found.value)
        }
        #expect(next == words.count && states == [65536, 65536, 65536, 65536])
        return result
    }

    @Test(arguments: [2, 5, 100, 4097]) func `the entropy coder's bytes are those of the format page`(_ count: Int) throws {
        var plain = EntropyCoderTests.draw([9, 5, 1, 1], first: 30, count: count, seed: 9)
        (plain[0], plain[1]) = (30, 33)
        let encoded = try #require(EntropyCoderTests.encode(plain))
        var place = 2
        var frequencies: [(value: UInt8, frequency: UInt32)] = []
        for value in encoded[0]...encoded[1] {
            var frequency = UInt32(encoded[place])
            place += 1
            if frequency >= 128 {
                frequency = frequency & 127 | UInt32(encoded[place]) << 7
                place += 1
            }
            frequencies.append((value, frequency))
        }
        func number(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) } }
        let states = (0..<4).map { number(encoded[place + 4 * $0..<place + 4 * $0 + 4]) }
        let words = stride(from: place + 16, to: encoded.count, by: 2).map { UInt16(number(encoded[$0..<$0 + 2])) }
        #expect(Self.decode(words, states, frequencies, count) == plain)
    }
}
