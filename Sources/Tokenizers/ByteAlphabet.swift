/// The characters that stand for bytes in the vocabulary files of byte-level tokenizers.
///
/// Printable Latin-1 characters stand for themselves, the other bytes for characters from U+0100 on, in order.
enum ByteAlphabet {
    /// The scalar of each byte.
    static let scalars: [UInt32] = {
        var next: UInt32 = 0x100
        return (0..<256).map { byte in
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
                return UInt32(byte)
            }
            defer { next += 1 }
            return next
        }
    }()

    /// The token, in UTF-8, that stands for one byte.
    static func token(_ byte: UInt8) -> [UInt8] {
        var bytes: [UInt8] = []
        UTF8Text.append(scalars[Int(byte)], to: &bytes)
        return bytes
    }
}
