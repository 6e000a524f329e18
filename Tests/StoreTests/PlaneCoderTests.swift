import Testing

@testable import Store

@Suite struct PlaneCoderTests {
    static func encode(_ plane: [UInt8], level: Int? = nil) throws -> [UInt8] {
        var target = [UInt8](repeating: 0xEE, count: PlaneCoder.bound(plane.count) + 8)
        let count = try plane.withUnsafeBytes { plane in
            try target.withUnsafeMutableBytes { try PlaneCoder().encode(plane, into: $0, zstandardLevel: level) }
        }
        return Array(target[..<count])
    }

    static func decode(_ encoded: [UInt8], count: Int) throws -> [UInt8] {
        let padded = encoded + [UInt8](repeating: 0, count: 8)
        return try padded.withUnsafeBytes { source in
            try withUnsafeTemporaryAllocation(byteCount: max(count, 1), alignment: 8) { target in
                var position = 0
                let plane = try PlaneCoder().decode(
                    UnsafeRawBufferPointer(rebasing: source[..<encoded.count]), at: &position,
                    into: UnsafeMutableRawBufferPointer(rebasing: target[..<count]))
                #expect(position == encoded.count)
                return Array(UnsafeBufferPointer(start: plane, count: count))
            }
        }
    }

    static func mode(_ encoded: [UInt8]) -> PlaneCoder.Mode? { PlaneCoder.Mode(rawValue: UInt32(encoded[3]) >> 5) }

    @Test func `takes for each plane the mode that is smallest`() throws {
        var generator = SeededGenerator(seed: 1)
        let noise = generator.bytes(10_000)
        let skewed = noise.map { UInt8($0.leadingZeroBitCount) }
        let cases: [(PlaneCoder.Mode, [UInt8], Int?)] = [
            (.raw, [], nil), (.constant, [7], nil), (.constant, [UInt8](repeating: 9, count: 5000), nil),
            (.raw, noise, nil), (.raw, noise, 19), (.bits, noise.map { $0 & 0xE0 }, nil), (.entropy, skewed, nil),
            (.zstandard, EntropyCoderTests.draw(EntropyCoderTests.shapes[4].0, first: 100, count: 10_000, seed: 4), nil),
            (.zstandard, (0..<20_000).map { noise[$0 % 500] }, 1), (.raw, [1, 2], nil),
        ]
        for (index, (mode, plane, level)) in cases.enumerated() {
            let encoded = try Self.encode(plane, level: level)
            #expect(Self.mode(encoded) == mode, "case \(index)")
            #expect(try Self.decode(encoded, count: plane.count) == plane, "case \(index)")
            #expect(encoded.count <= PlaneCoder.bound(plane.count))
        }
    }

    @Test(arguments: 1...7) func `packs bits at every length`(_ width: Int) throws {
        var generator = SeededGenerator(seed: UInt64(width))
        for count in 0..<70 {
            let plane = generator.bytes(count).map { $0 & ~(0xFF >> UInt8(width)) }
            #expect(try Self.decode(Self.encode(plane), count: count) == plane, "\(count)")
        }
    }

    @Test func `refuses modes, widths and lengths that do not fit`() throws {
        var generator = SeededGenerator(seed: 3)
        let packed = try Self.encode(generator.bytes(1000).map { $0 & 0xF0 })
        #expect(Self.mode(packed) == .bits)
        for width in [0, 3, 5, 8, 255] as [UInt8] {
            var wrong = packed
            wrong[4] = width
            #expect(throws: PlaneCoder.Fault.self) { try Self.decode(wrong, count: 1000) }
        }
        for mode in [5, 6, 7] as [UInt8] {
            var wrong = packed
            wrong[3] = mode << 5
            #expect(throws: PlaneCoder.Fault.self) { try Self.decode(wrong, count: 1000) }
        }
        #expect(throws: PlaneCoder.Fault.self) { try Self.decode(Array(packed.dropLast()), count: 1000) }
        #expect(throws: PlaneCoder.Fault.self) { try Self.decode(packed, count: 1009) }
        #expect(throws: PlaneCoder.Fault.self) { try Self.decode([0, 0, 0], count: 0) }
        let frame = try Self.encode((0..<5000).map { UInt8($0 % 50) }, level: 1)
        #expect(Self.mode(frame) == .zstandard)
        #expect(throws: PlaneCoder.Fault.self) { try Self.decode(frame, count: 5001) }
        #expect(throws: PlaneCoder.Fault.self) { try Self.decode(frame, count: 4999) }
    }
}
