import Testing

@testable import Store

/// The contract of every codec in the catalogue.
@Suite struct BlobCodecTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let codec: any BlobCodec
        var testDescription: String { "\(type(of: codec).name) \(codec.parameters)" }
    }

    static let cases: [Case] =
        [Case(codec: PlainCodec()), Case(codec: ZstandardCodec())]
        + TensorLayout.Kind.allCases.flatMap { kind in
            [96, 250].map { Case(codec: PlanesCodec(layout: TensorLayout(kind: kind, segment: $0))) }
        }

    static let block = TensorLayout.blockByteCount
    static let sizes = [
        0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 1000, 65535, 65536, 65537, block - 1, block, block + 1, 4 * block + 5,
        (5 << 20) + 3,
    ]

    static func contents(_ count: Int) -> [[UInt8]] {
        var generator = SeededGenerator(seed: UInt64(count) + 3)
        return [
            generator.bytes(count), Array(generator.weights(count / 4 + 1).prefix(count)),
            [UInt8](repeating: 0, count: count), (0..<count).map { UInt8(truncatingIfNeeded: $0 / 100) },
            Array(generator.oddFloats(count / 4 + 1).prefix(count)), Array(generator.mixedRows(count / 4 + 1).prefix(count)),
        ]
    }

    static func encode(
        _ codec: any BlobCodec, _ plain: [UInt8], portion: Int = .max, effort: Effort = .fast
    ) throws -> [UInt8] {
        let encoder = try codec.makeEncoder(effort: effort)
        var encoded: [UInt8] = []
        try plain.withUnsafeBytes { plain in
            var offset = 0
            while offset < plain.count {
                let end = plain.count - offset > portion ? offset + portion : plain.count
                try encoder.append(UnsafeRawBufferPointer(rebasing: plain[offset..<end])) { encoded += $0 }
                offset = end
            }
        }
        try encoder.finish { encoded += $0 }
        return encoded
    }

    static func decode(
        _ codec: any BlobCodec, _ encoded: [UInt8], plainByteCount: Int, window: Int? = nil
    ) throws -> [UInt8] {
        let storage = MemoryBlobStorage()
        let staged = try storage.stage()
        try encoded.withUnsafeBytes { try staged.write($0, at: 0) }
        var window = [UInt8](repeating: 0xAA, count: window ?? plainByteCount)
        var plain: [UInt8] = []
        let source = EncodedSource(file: try staged.reopen(), from: 0, name: "test")
        try window.withUnsafeMutableBytes {
            try codec.decode(source, plainByteCount: plainByteCount, window: $0) { plain += $0 }
        }
        return plain
    }

    @Test(arguments: cases) func `gives back every byte at every size`(_ test: Case) throws {
        for size in Self.sizes {
            for plain in Self.contents(size) {
                let encoded = try Self.encode(test.codec, plain)
                #expect(try Self.decode(test.codec, encoded, plainByteCount: size) == plain, "\(size)")
            }
        }
    }

    @Test(arguments: cases) func `does not depend on portions, windows or effort`(_ test: Case) throws {
        let size = 4 * Self.block + 5
        let plain = Self.contents(size)[1]
        for effort in Effort.allCases {
            for portion in [1000, 65536, Self.block + 1] {
                let encoded = try Self.encode(test.codec, plain, portion: portion, effort: effort)
                let small = try Self.decode(
                    test.codec, encoded, plainByteCount: size, window: BlobCodecs.smallestWindow)
                #expect(small == plain)
            }
        }
    }

    @Test(arguments: cases) func `refuses another length, a cut and a tail`(_ test: Case) throws {
        // A constant plane does not say its length, so only noise betrays another one; for the rest the digest does.
        for size in [100, 70_000, 2 * Self.block + 3] {
            for (index, plain) in Self.contents(size).enumerated() {
                let encoded = try Self.encode(test.codec, plain)
                func isRefused(_ bytes: [UInt8], _ count: Int) throws -> Bool {
                    try code { _ = try Self.decode(test.codec, bytes, plainByteCount: count) } == .damaged
                }
                if index == 0 {
                    #expect(try isRefused(encoded, size - 1), "\(size)")
                    #expect(try isRefused(encoded, size + 1), "\(size)")
                }
                #expect(try isRefused(encoded + [0], size))
                #expect(try isRefused(encoded + encoded, size))
                #expect(try isRefused(Array(encoded.dropLast()), size))
                #expect(try isRefused([], size))
            }
        }
    }

    @Test(arguments: cases) func `never traps on damaged bytes`(_ test: Case) throws {
        var generator = SeededGenerator(seed: 4)
        for plain in Self.contents(20_000) {
            let encoded = try Self.encode(test.codec, plain)
            for _ in 0..<300 {
                var damaged = encoded
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    damaged[Int.random(in: 0..<damaged.count, using: &generator)] ^= UInt8.random(
                        in: 1...255, using: &generator)
                }
                // A changed byte may decode to other bytes of the right number; the digest notices those.
                if let result = try? Self.decode(test.codec, damaged, plainByteCount: plain.count) {
                    #expect(result.count == plain.count)
                }
            }
        }
    }

    @Test func `has its own number and name for every codec`() {
        let count = BlobCodecs.all.count + BlobCodecs.deltas.count
        #expect(Set(BlobCodecs.all.map { $0.identifier } + BlobCodecs.deltas.map { $0.identifier }).count == count)
        #expect(Set(BlobCodecs.all.map { $0.name } + BlobCodecs.deltas.map { $0.name }).count == count)
        #expect(Set(Self.cases.map { type(of: $0.codec).identifier }) == Set(BlobCodecs.all.map { $0.identifier }))
    }

    @Test func `refuses a frame with a window beyond the bound`() throws {
        // A frame header that asks for a window of 1 GiB, then one block of one repeated byte.
        let frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 20 << 3, 0x03 | 0x08 << 3, 0x00, 0x00, 0x41]
        #expect(
            try code { _ = try Self.decode(ZstandardCodec(), frame, plainByteCount: 8) } == .damaged)
    }

    @Test func `stops a frame that expands without end`() throws {
        let bomb = try Self.encode(ZstandardCodec(), [UInt8](repeating: 0, count: 64 << 20))
        #expect(bomb.count < 10_000)
        #expect(try code { _ = try Self.decode(ZstandardCodec(), bomb, plainByteCount: 1000) } == .damaged)
    }

    @Test func `shrinks weights by their exponents and constant tensors to almost nothing`() throws {
        var generator = SeededGenerator(seed: 5)
        let weights = generator.weights(1 << 18)
        let planes = PlanesCodec(layout: TensorLayout(kind: .float32, segment: 256))
        #expect(Double(try Self.encode(planes, weights).count) < 0.84 * Double(weights.count))
        // The block's length, the number of classes, one alignment and four constant planes.
        #expect(try Self.encode(planes, [UInt8](repeating: 0, count: 1 << 20)).count == 4 + 1 + 6 + 4 * 5)
    }

    @Test func `keeps only the bits that rows from a narrower type have`() throws {
        var generator = SeededGenerator(seed: 6)
        let rows = generator.mixedRows(1 << 18)
        let whole = try Self.encode(PlanesCodec(layout: TensorLayout(kind: .float32, segment: 256)), rows).count
        // A quarter of the rows is full, a quarter has 13 zero bits, a quarter 16, a quarter is zero.
        let expected = (27 + 14.5 + 11.5 + 0) / 4 / 32
        #expect(Double(whole) < expected * Double(rows.count))
    }

    @Test func `refuses headers with parameters or bases that no version writes`() throws {
        func known(_ codec: UInt16, _ parameters: UInt32, base: Digest? = nil) throws -> StoreError.Code? {
            let header = BlobHeader(
                codec: codec, parameters: parameters, plainByteCount: 1, encodedByteCount: 1, base: base, checksum: 0)
            return try code { _ = try BlobCodecs.codec(for: header, name: "test") }
        }
        let float32 = TensorLayout(kind: .float32, segment: 384).parameters
        let base = Digest(of: [1])
        #expect(try known(2, float32) == nil)
        #expect(try known(3, float32, base: base) == nil)
        #expect(try known(3, float32) == .newerFormat)
        #expect(try known(2, float32, base: base) == .newerFormat)
        #expect(try known(0, 1) == .newerFormat)
        #expect(try known(1, 1) == .newerFormat)
        #expect(try known(4, 0) == .newerFormat)
        // No segment, a segment longer than a block, an unknown kind, integers under a delta.
        for parameters in [6, 6 | 262_145 << 8, 8 | 384 << 8] as [UInt32] {
            #expect(try known(2, parameters) == .newerFormat)
            #expect(try known(3, parameters, base: base) == .newerFormat)
        }
        #expect(try known(2, 6 | 262_144 << 8) == nil)
        #expect(try known(3, 2 | 384 << 8, base: base) == .newerFormat)
    }
}
