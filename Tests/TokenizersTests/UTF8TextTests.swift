import Testing

@testable import Tokenizers

@Suite struct UTF8TextTests {
    @Test("Validity agrees with the standard library on random and nearly valid bytes")
    func validity() {
        var random = SystemRandomNumberGenerator()
        let seeds: [[UInt8]] = ["aé中😀", "\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}"].map { Array($0.utf8) } + [[]]
        var invalid = 0
        for round in 0..<60_000 {
            var bytes = seeds[round % 3] + (0..<Int.random(in: 0..<12)).map { _ in UInt8(97) } + seeds[(round + 1) % 3]
            for _ in 0..<round % 4 where !bytes.isEmpty {
                bytes[Int.random(in: bytes.indices)] = UInt8.random(in: 0x7F...0xFF, using: &random)
            }
            if round % 5 == 0 && !bytes.isEmpty { bytes.removeLast() }
            let isValid = bytes.withUnsafeBufferPointer(UTF8Text.firstInvalidByte) == nil
            #expect(isValid == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes)")
            invalid += isValid ? 0 : 1
        }
        #expect(invalid > 10_000)
    }

    @Test("Scalars are read forwards and backwards")
    func decoding() {
        for scalar in ["a", "\u{7F}", "\u{80}", "\u{7FF}", "\u{800}", "\u{FFFF}", "\u{10000}", "\u{10FFFF}"]
            as [Unicode.Scalar]
        {
            let bytes = Array(String(Character(scalar)).utf8)
            bytes.withUnsafeBufferPointer { buffer in
                #expect(UTF8Text.decode(buffer.baseAddress!, 0) == (scalar.value, bytes.count))
                #expect(UTF8Text.decode(buffer.baseAddress!, endingAt: bytes.count) == (scalar.value, bytes.count))
            }
        }
    }
}
