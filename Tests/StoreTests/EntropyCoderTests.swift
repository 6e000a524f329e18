import Foundation
import Testing

@testable import Store

@Suite struct EntropyCoderTests {
    /// Bytes with the given weights for the values from `first` on.
    static func draw(_ weights: [Double], first: Int, count: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        let total = weights.reduce(0, +)
        return (0..<count).map { _ in
            var point = Double.random(in: 0..<total, using: &generator)
            for (index, weight) in weights.enumerated() {
                point -= weight
                if point < 0 { return UInt8(first + index) }
            }
            return UInt8(first + weights.count - 1)
        }
    }

    static func encode(_ plain: [UInt8], room: Int? = nil) -> [UInt8]? {
        var counts = [UInt32](repeating: 0, count: 1024)
        var target = [UInt8](repeating: 0, count: room ?? plain.count + 1000)
        let count = plain.withUnsafeBytes { plain in
            EntropyCoder.histogram(plain, into: &counts)
            return target.withUnsafeMutableBytes { EntropyCoder.encode(plain, counts: counts, into: $0) }
        }
        return count.map { Array(target[..<$0]) }
    }

    static func decode(_ encoded: [UInt8], count: Int) -> [UInt8]? {
        var plain = [UInt8](repeating: 0xAA, count: count)
        var slots = [UInt32](repeating: 0, count: EntropyCoder.total)
        let isRight = encoded.withUnsafeBytes { source in
            plain.withUnsafeMutableBytes { EntropyCoder.decode(source, into: $0, slots: &slots) }
        }
        return isRight ? plain : nil
    }

    static let shapes: [([Double], Int)] = [
        ([1, 1], 0), ([1, 1_000_000], 254), ([1_000_000, 1], 0), ([8, 4, 2, 1], 7),
        ((0..<40).map { exp(-Double(($0 - 20) * ($0 - 20)) / 18) }, 100), ([Double](repeating: 1, count: 256), 0),
        ([1] + [Double](repeating: 0, count: 254) + [3], 0), ([10_000] + [Double](repeating: 1, count: 255), 0),
    ]

    @Test func `gives back every byte for any frequencies and lengths`() throws {
        for (seed, shape) in Self.shapes.enumerated() {
            for count in [2, 3, 4, 5, 6, 7, 8, 9, 100, 4096, 100_003] {
                var plain = Self.draw(shape.0, first: shape.1, count: count, seed: UInt64(seed))
                // Two values at least, as the caller promises.
                plain[0] = UInt8(shape.1)
                plain[count - 1] = UInt8(shape.1 + shape.0.count - 1)
                let encoded = try #require(Self.encode(plain))
                #expect(Self.decode(encoded, count: count) == plain, "\(seed) \(count)")
                #expect(Self.decode(encoded, count: count + 1) == nil)
                #expect(Self.decode(encoded, count: count - 1) == nil)
                #expect(Self.decode(encoded + [0, 0], count: count) == nil)
                #expect(Self.decode(Array(encoded.dropLast()), count: count) == nil)
            }
        }
    }

    @Test func `comes within a hundredth of the entropy`() throws {
        for shape in Self.shapes[3...4] {
            let plain = Self.draw(shape.0, first: shape.1, count: 200_000, seed: 9)
            var counts = [UInt32](repeating: 0, count: 1024)
            plain.withUnsafeBytes { EntropyCoder.histogram($0, into: &counts) }
            let bits = counts[..<256].withUnsafeBufferPointer { EntropyCoder.entropyBits($0) }
            let encoded = try #require(Self.encode(plain))
            #expect(Double(encoded.count) < 1.003 * bits / 8 + 100)
        }
    }

    @Test func `counts every byte once`() {
        let plain = Self.draw([1, 2, 3, 4, 5], first: 250, count: 1003, seed: 3)
        var counts = [UInt32](repeating: 7, count: 1024)
        plain.withUnsafeBytes { EntropyCoder.histogram($0, into: &counts) }
        for value in 0..<256 { #expect(counts[value] == UInt32(plain.count { $0 == UInt8(value) })) }
    }

    @Test func `gives up where there is no room, and writes nothing past it`() throws {
        let plain = Self.draw(Self.shapes[4].0, first: 100, count: 5000, seed: 2)
        let size = try #require(Self.encode(plain)).count
        for room in [0, 1, 20, 100, size - 2, size - 1] { #expect(Self.encode(plain, room: room) == nil, "\(room)") }
        #expect(Self.encode(plain, room: size + 1) != nil)
    }

    @Test func `never traps on damaged bytes and refuses frequencies that do not add up`() throws {
        var generator = SeededGenerator(seed: 5)
        let plain = Self.draw(Self.shapes[4].0, first: 100, count: 3000, seed: 2)
        let encoded = try #require(Self.encode(plain))
        for _ in 0..<3000 {
            var damaged = encoded
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                damaged[Int.random(in: 0..<damaged.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) { damaged.removeLast(Int.random(in: 0..<damaged.count, using: &generator)) }
            if let result = Self.decode(damaged, count: plain.count) { #expect(result.count == plain.count) }
        }
        var sum = encoded
        sum[2] ^= 1
        #expect(Self.decode(sum, count: plain.count) == nil)
        for length in 0..<64 { _ = Self.decode(generator.bytes(length), count: 100) }
    }
}
