/// Well-formedness of UTF-8 as the Unicode standard defines it (table 3-7): no overlong forms, no surrogates, nothing
/// above U+10FFFF.
public enum UTF8Validation {
    /// The offset of the first byte of the first ill-formed sequence, or nil when all of `bytes` is well formed.
    public static func firstInvalid(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        let raw = UnsafeRawPointer(base)
        let count = bytes.count
        var position = 0
        while position < count {
            // Most text is ASCII: eight bytes at a time.
            while position + 8 <= count
                && raw.loadUnaligned(fromByteOffset: position, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            {
                position += 8
            }
            guard position < count else { break }
            let lead = base[position]
            if lead < 0x80 {
                position += 1
                continue
            }
            // The range of the second byte carries all the restrictions; later bytes are plain continuations.
            let length: Int
            var second: ClosedRange<UInt8> = 0x80...0xBF
            switch lead {
            case 0xC2...0xDF: length = 2
            case 0xE0: (length, second) = (3, 0xA0...0xBF)
            case 0xED: (length, second) = (3, 0x80...0x9F)
            case 0xE1...0xEF: length = 3
            case 0xF0: (length, second) = (4, 0x90...0xBF)
            case 0xF1...0xF3: length = 4
            case 0xF4: (length, second) = (4, 0x80...0x8F)
            default: return position
            }
            guard position + length <= count, second.contains(base[position + 1]) else { return position }
            for index in 2..<max(2, length) where base[position + index] & 0xC0 != 0x80 { return position }
            position += length
        }
        return nil
    }
}
