import Foundation
import Testing

@testable import Store

@Suite struct DeltaCodecTests {
    static let kinds: [TensorLayout.Kind] = [.float16, .bfloat16, .float32, .float64]
    static let block = TensorLayout.blockByteCount

    static func codec(_ kind: TensorLayout.Kind, segment: Int = 256) -> DeltaCodec {
        DeltaCodec(layout: TensorLayout(kind: kind, segment: segment))
    }

    /// Pairs of plain bytes and base: noise, steps, decay, equal ones, specials on either side.
    static func pairs(_ count: Int) -> [(plain: [UInt8], base: [UInt8])] {
        var generator = SeededGenerator(seed: UInt64(count) + 70)
        let whole = (count + 3) / 4 * 4
        func cut(_ bytes: [UInt8]) -> [UInt8] { Array(bytes.prefix(count)) }
        let weights = generator.weights(whole / 4)
        let odd = generator.oddFloats(whole / 4)
        return [
            (generator.bytes(count), generator.bytes(count)), (cut(weights), cut(weights)),
            (cut(generator.adapted(weights, step: 1e-4)), cut(weights)),
            (cut(generator.adapted(weights, step: 1e-4, decay: 0.99998)), cut(weights)),
            (cut(weights), cut(odd)), (cut(odd), cut(weights)), (cut(odd), cut(generator.oddFloats(whole / 4))),
            ([UInt8](repeating: 0, count: count), cut(weights)), (cut(weights), [UInt8](repeating: 0xFF, count: count)),
        ]
    }

    static func encode(
        _ codec: DeltaCodec, _ plain: [UInt8], base: [UInt8], portion: Int = .max, effort: Effort = .fast
    ) throws -> [UInt8] {
        var encoded: [UInt8] = []
        try base.withUnsafeBytes { base in
            let encoder = try codec.makeEncoder(effort: effort, base: base)
            try plain.withUnsafeBytes { plain in
                var offset = 0
                while offset < plain.count {
                    let end = plain.count - offset > portion ? offset + portion : plain.count
                    try encoder.append(UnsafeRawBufferPointer(rebasing: plain[offset..<end])) { encoded += $0 }
                    offset = end
                }
            }
            try encoder.finish { encoded += $0 }
        }
        return encoded
    }

    static func decode(
        _ codec: DeltaCodec, _ encoded: [UInt8], base: [UInt8], count: Int, window: Int? = nil, portion: Int = .max
    ) throws -> [UInt8] {
        let staged = try MemoryBlobStorage().stage()
        try encoded.withUnsafeBytes { try staged.write($0, at: 0) }
        var window = [UInt8](repeating: 0xAA, count: window ?? count)
        var plain: [UInt8] = []
        let source = EncodedSource(file: try staged.reopen(), from: 0, name: "test")
        let bytes = BaseSource { take in
            try base.withUnsafeBytes { base in
                var offset = 0
                while offset < base.count {
                    let end = base.count - offset > portion ? offset + portion : base.count
                    try take(UnsafeRawBufferPointer(rebasing: base[offset..<end]))
                    offset = end
                }
            }
        }
        try window.withUnsafeMutableBytes {
            try codec.decode(source, plainByteCount: count, window: $0, base: bytes) { plain += $0 }
        }
        return plain
    }

    @Test(arguments: kinds) func `gives back every bit pattern at every size`(_ kind: TensorLayout.Kind) throws {
        for size in [0, 1, 3, 4, 7, 8, 9, 1000, 65_537, Self.block - 1, Self.block, Self.block + 1, 2 * Self.block + 5] {
            for (index, pair) in Self.pairs(size).enumerated() {
                let encoded = try Self.encode(Self.codec(kind), pair.plain, base: pair.base)
                let plain = try Self.decode(Self.codec(kind), encoded, base: pair.base, count: size)
                #expect(plain == pair.plain, "\(size), pair \(index)")
            }
        }
    }

    @Test(arguments: kinds) func `does not depend on portions, windows or effort`(_ kind: TensorLayout.Kind) throws {
        let size = 3 * Self.block + 5
        let pair = Self.pairs(size)[3]
        for (effort, portion, segment) in [(Effort.fast, 1000, 96), (.standard, 65_536, 250), (.strong, .max, 384)] {
            let codec = Self.codec(kind, segment: segment)
            let encoded = try Self.encode(codec, pair.plain, base: pair.base, portion: portion, effort: effort)
            let plain = try Self.decode(
                codec, encoded, base: pair.base, count: size, window: BlobCodecs.smallestWindow, portion: portion)
            #expect(plain == pair.plain)
        }
    }

    @Test func `leaves little of rows that were only decayed or not changed at all`() throws {
        var generator = SeededGenerator(seed: 8)
        let base = generator.weights(1 << 18)
        let codec = Self.codec(.float32)
        func share(_ plain: [UInt8]) throws -> Double {
            Double(try Self.encode(codec, plain, base: base).count) / Double(plain.count)
        }
        #expect(try share(base) < 0.0001)
        let stepped = try share(generator.adapted(base, step: 1e-4))
        #expect(stepped < 0.32)
        // The decayed half adds hardly more than the unchanged half: one rounding, a bit or so for each element.
        #expect(try share(generator.adapted(base, step: 1e-4, decay: 0.99998)) < stepped + 0.04)
    }

    @Test func `refuses a base of another length, another length, a cut and a tail`() throws {
        for (index, pair) in Self.pairs(70_000).enumerated() {
            let codec = Self.codec(.float32)
            let encoded = try Self.encode(codec, pair.plain, base: pair.base)
            func isRefused(_ bytes: [UInt8], _ base: [UInt8], _ count: Int) throws -> Bool {
                try code { _ = try Self.decode(codec, bytes, base: base, count: count) } == .damaged
            }
            #expect(try isRefused(encoded, pair.base + [0], 70_000), "\(index)")
            #expect(try isRefused(encoded, pair.base.dropLast(), 70_000), "\(index)")
            #expect(try isRefused(encoded, [], 70_000), "\(index)")
            #expect(try isRefused(encoded + [0], pair.base, 70_000), "\(index)")
            #expect(try isRefused(encoded.dropLast(), pair.base, 70_000), "\(index)")
            #expect(try isRefused([], pair.base, 70_000), "\(index)")
        }
    }

    @Test(arguments: kinds) func `never traps on damaged bytes or a wrong base`(_ kind: TensorLayout.Kind) throws {
        var generator = SeededGenerator(seed: 14)
        let codec = Self.codec(kind, segment: 100)
        for pair in Self.pairs(20_001) {
            let encoded = try Self.encode(codec, pair.plain, base: pair.base)
            for round in 0..<200 {
                var (damaged, base) = (encoded, pair.base)
                if round % 4 == 0 {
                    base = generator.bytes(base.count)
                } else {
                    // The heads matter most, and they stand at the front.
                    let end = round % 2 == 0 ? damaged.count : min(damaged.count, 120)
                    for _ in 0..<Int.random(in: 1...4, using: &generator) {
                        damaged[Int.random(in: 0..<end, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
                    }
                }
                if let plain = try? Self.decode(codec, damaged, base: base, count: 20_001) {
                    #expect(plain.count == 20_001)
                }
            }
        }
    }

    @Test func `orders bits as the numbers they stand for, and back`() {
        let numbers: [Float] = [-.infinity, -2, -1, -Float.leastNonzeroMagnitude, -0.0, 0, .leastNonzeroMagnitude, 1, .infinity]
        let ranks = numbers.map { ordered($0.bitPattern) }
        #expect(zip(ranks, ranks.dropFirst()).allSatisfy { $0 < $1 })
        #expect(ranks[5] - ranks[4] == 1)
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<10_000 {
            let bits = UInt32(truncatingIfNeeded: generator.next())
            #expect(unordered(ordered(bits)) == bits)
            #expect(unzigzag(zigzag(bits)) == bits)
        }
        #expect([0, 1, 2].map { zigzag(UInt16($0)) } == [0, 2, 4])
        #expect(zigzag(UInt16.max) == 1)
    }

    @Test func `expects the base itself near zero, infinity and NaN`() {
        let prediction = FloatPrediction(factor: 0.75)
        for bits in [0, 1, 0x8000_0000, 0x007f_ffff, 0x0080_0000, 0x7f00_0000, 0x7f80_0000, 0x7fc0_0001] as [UInt32] {
            #expect(prediction(bits) == bits)
        }
        #expect(prediction(Float(1).bitPattern) == Float(0.75).bitPattern)
        #expect(prediction(Float(-3e-30).bitPattern) == Float(Double(Float(-3e-30)) * 0.75).bitPattern)
    }
}
