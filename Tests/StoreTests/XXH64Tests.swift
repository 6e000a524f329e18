import Testing

@testable import Store

@Suite struct XXH64Tests {
    @Test func `equals the published checksums`() {
        func sum(_ text: String) -> UInt64 { Array(text.utf8).withUnsafeBytes { XXH64.checksum($0) } }
        #expect(sum("") == 0xEF46_DB37_51D8_E999)
        #expect(sum("a") == 0xD24E_C4F1_A98C_6E5B)
        #expect(sum("abc") == 0x44BC_2CF5_AD77_0999)
        #expect(sum("Nobody inspects the spammish repetition") == 0xFBCE_A83C_8A37_8BF1)
    }

    @Test func `does not depend on the portions`() {
        var generator = SeededGenerator(seed: 2)
        let bytes = generator.bytes(1000)
        let whole = bytes.withUnsafeBytes { XXH64.checksum($0) }
        for _ in 0..<200 {
            var state = XXH64()
            var offset = 0
            while offset < bytes.count {
                let count = min(bytes.count - offset, Int.random(in: 0...70, using: &generator))
                bytes[offset..<offset + count].withUnsafeBytes { state.update($0) }
                offset += count
            }
            #expect(state.finish() == whole)
        }
    }
}
