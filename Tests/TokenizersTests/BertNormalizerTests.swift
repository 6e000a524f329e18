import Testing

@testable import Tokenizers

@Suite struct BertNormalizerTests {
    static func normalized(_ text: String, _ options: TokenizerSpecification.Normalization) -> String {
        var scratch = EncodingScratch()
        var text = text
        text.withUTF8 { BertNormalizer(options).normalize($0, base: 0, into: &scratch) }
        return String(
            decoding: UnsafeBufferPointer(start: scratch.text.base, count: scratch.text.count), as: UTF8.self)
    }

    static func scalars(_ text: String) -> [UInt32] { text.unicodeScalars.map(\.value) }

    @Test("Accent stripping follows lower-casing unless it is set")
    func stripping() {
        #expect(Self.normalized("É", .init(lowercases: true)) == "e")
        #expect(Self.normalized("É", .init(lowercases: false)) == "É")
        #expect(Self.normalized("É", .init(stripsAccents: false, lowercases: true)) == "é")
        #expect(Self.normalized("É", .init(stripsAccents: true, lowercases: false)) == "E")
    }

    @Test("Characters are lower-cased one at a time: no final sigma, and a dotted I keeps its dot")
    func lowercasing() {
        let options = TokenizerSpecification.Normalization(stripsAccents: false, lowercases: true)
        #expect(Self.scalars(Self.normalized("ΑΣ", options)) == Self.scalars("ασ"))
        #expect(Self.scalars(Self.normalized("İ", options)) == [0x69, 0x307])
    }

    /// Expected values by tokenizers 0.23.3: `BertNormalizer(strip_accents=True, lowercase=False).normalize_str`.
    @Test("Marks that survive the stripping stand in canonical order")
    func ordering() {
        let options = TokenizerSpecification.Normalization(stripsAccents: true, lowercases: false)
        // U+302E (class 224) and U+1D165 (class 216) are spacing marks.
        #expect(Self.scalars(Self.normalized("a\u{302E}\u{1D165}b", options)) == [0x61, 0x1D165, 0x302E, 0x62])
        #expect(Self.scalars(Self.normalized("a\u{302E}\u{301}\u{1D165}", options)) == [0x61, 0x1D165, 0x302E])
        #expect(Self.scalars(Self.normalized("a\u{302E} \u{1D165}", options)) == [0x61, 0x302E, 0x20, 0x1D165])
    }

    @Test("Each byte knows the character it came from")
    func origins() {
        var scratch = EncodingScratch()
        var text = "a\u{0}é中"
        text.withUTF8 { BertNormalizer(.init(lowercases: true)).normalize($0, base: 10, into: &scratch) }
        let starts = (0..<scratch.text.count).map { scratch.origins.base[$0].start }
        let ends = (0..<scratch.text.count).map { scratch.origins.base[$0].end }
        #expect(starts == [10, 12, 14, 14, 14, 14, 14])
        #expect(ends == [11, 14, 17, 17, 17, 17, 17])
    }

    @Test("Plain ASCII takes the short way exactly when each byte stays one byte")
    func plainASCII() {
        let normalizer = BertNormalizer(.init(lowercases: true))
        for byte in UInt8(0)..<128 {
            var scratch = EncodingScratch()
            let bytes = [UInt8(ascii: "Q"), byte]
            let isPlain = bytes.withUnsafeBufferPointer { normalizer.copyPlainASCII($0, into: &scratch) }
            let isControl = (byte < 32 && ![9, 10, 13].contains(byte)) || byte == 127
            #expect(isPlain == !isControl)
            if isPlain {
                let isUpper = (65...90).contains(byte)
                #expect(scratch.text.base[0] == UInt8(ascii: "q"))
                #expect(scratch.text.base[1] == (isUpper ? byte + 32 : byte))
            }
        }
    }
}
