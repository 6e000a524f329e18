import Testing

@testable import Pipeline

@Suite struct UTF8ValidationTests {
    static func firstInvalid(_ bytes: [UInt8]) -> Int? {
        bytes.withUnsafeBufferPointer { UTF8Validation.firstInvalid(in: $0) }
    }

    @Test func `every scalar is valid, alone and after text of any length`() {
        var wrong: [UInt32] = []
        for value in stride(from: UInt32(0), through: 0x10FFFF, by: 37) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let prefix = [UInt8](repeating: 0x61, count: Int(value % 11))
            if Self.firstInvalid(prefix + Array(UTF8.encode(scalar)!) + [0x62]) != nil { wrong.append(value) }
        }
        #expect(wrong == [])
    }

    @Test func `it agrees with the standard library on random bytes`() {
        var generator = SafeTensorsFuzzTests.Generator(state: 3)
        // The bounds of every range in the standard's table.
        let pool: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0,
            0xF1,
            0xF4, 0xF5, 0xFF,
        ]
        var valid = 0
        var wrong: [[UInt8]] = []
        for _ in 0..<100_000 {
            let bytes = (0..<Int.random(in: 0...6, using: &generator)).map { _ in pool.randomElement(using: &generator)!
            }
            let theirs = String(validating: bytes, as: UTF8.self) != nil
            if (Self.firstInvalid(bytes) == nil) != theirs { wrong.append(bytes) }
            if theirs { valid += 1 }
        }
        #expect(wrong == [])
        #expect(valid > 1000)
    }

    @Test func `the position is that of the first byte of the broken sequence`() {
        #expect(Self.firstInvalid([0x61, 0xC3, 0xA9, 0xE2, 0x82]) == 3)
        #expect(Self.firstInvalid([UInt8](repeating: 0x61, count: 17) + [0xFF]) == 17)
        #expect(Self.firstInvalid([0xED, 0xA0, 0x80]) == 0)
    }
}
