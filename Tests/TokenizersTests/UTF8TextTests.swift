import Testing

@testable import Tokenizers

@Suite struct UTF8TextTests {
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
