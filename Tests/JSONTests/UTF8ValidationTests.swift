import JSON
import Testing

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
        // The bounds of every range in the standard's table.
        let pool: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF,
        ]
        let (wrong, valid) = Self.disagreements(100_000) { _ in (0..<Int.random(in: 0...6)).map { _ in pool.randomElement()! } }
        #expect(wrong == [])
        #expect(valid > 1000)
    }

    @Test func `it agrees with the standard library on text with broken bytes`() {
        let seeds: [[UInt8]] = ["aé中😀", "\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}"].map { Array($0.utf8) } + [[]]
        let (wrong, valid) = Self.disagreements(60_000) { round in
            var bytes = seeds[round % 3] + [UInt8](repeating: 97, count: Int.random(in: 0..<12)) + seeds[(round + 1) % 3]
            for _ in 0..<round % 4 where !bytes.isEmpty {
                bytes[Int.random(in: bytes.indices)] = UInt8.random(in: 0x7F...0xFF)
            }
            if round % 5 == 0 && !bytes.isEmpty { bytes.removeLast() }
            return bytes
        }
        #expect(wrong == [])
        #expect(valid > 1000 && valid < 50_000)
    }

    private static func disagreements(_ rounds: Int, _ bytes: (Int) -> [UInt8]) -> (wrong: [[UInt8]], valid: Int) {
        var wrong: [[UInt8]] = [], valid = 0
        for round in 0..<rounds {
            let bytes = bytes(round), theirs = String(validating: bytes, as: UTF8.self) != nil
            if (firstInvalid(bytes) == nil) != theirs { wrong.append(bytes) }
            valid += theirs ? 1 : 0
        }
        return (wrong, valid)
    }

    @Test func `the position is that of the first byte of the broken sequence`() {
        #expect(Self.firstInvalid([0x61, 0xC3, 0xA9, 0xE2, 0x82]) == 3)
        #expect(Self.firstInvalid([UInt8](repeating: 0x61, count: 17) + [0xFF]) == 17)
        #expect(Self.firstInvalid([0xED, 0xA0, 0x80]) == 0)
    }
}
