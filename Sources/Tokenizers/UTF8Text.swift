/// Reading UTF-8 bytes directly. Everything but `firstInvalidByte` expects valid text.
enum UTF8Text {
    /// The scalar that starts at `index`, and its length in bytes.
    @inline(__always)
    static func decode(_ bytes: UnsafePointer<UInt8>, _ index: Int) -> (code: UInt32, length: Int) {
        let first = UInt32(bytes[index])
        if first < 0x80 { return (first, 1) }
        let second = UInt32(bytes[index + 1] & 0x3F)
        if first < 0xE0 { return ((first & 0x1F) << 6 | second, 2) }
        let third = UInt32(bytes[index + 2] & 0x3F)
        if first < 0xF0 { return ((first & 0x0F) << 12 | second << 6 | third, 3) }
        return ((first & 0x07) << 18 | second << 12 | third << 6 | UInt32(bytes[index + 3] & 0x3F), 4)
    }

    /// The scalar that ends before `index`, and its length in bytes.
    static func decode(_ bytes: UnsafePointer<UInt8>, endingAt index: Int) -> (code: UInt32, length: Int) {
        var start = index - 1
        while isContinuation(bytes[start]) { start -= 1 }
        return decode(bytes, start)
    }

    @inline(__always)
    static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

    static func append(_ code: UInt32, to bytes: inout [UInt8]) {
        guard let scalar = Unicode.Scalar(code) else { preconditionFailure("\(code) is no scalar value") }
        bytes.append(contentsOf: UTF8.encode(scalar)!)
    }

    /// Whether all bytes are below 0x80.
    static func isASCII(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        let raw = UnsafeRawBufferPointer(bytes)
        var index = 0
        var seen: UInt64 = 0
        while index + 8 <= raw.count {
            seen |= raw.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < raw.count {
            seen |= UInt64(raw[index])
            index += 1
        }
        return seen & 0x8080_8080_8080_8080 == 0
    }

    /// The first byte that does not belong to well-formed UTF-8 (no overlong forms, surrogates or codes over 0x10FFFF).
    static func firstInvalidByte(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        if isASCII(bytes) { return nil }
        var index = 0
        while index < bytes.count {
            let first = bytes[index]
            if first < 0x80 {
                index += 1
                continue
            }
            let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
            guard (0xC2...0xF4).contains(first), index + length <= bytes.count else { return index }
            let second = bytes[index + 1]
            let range: ClosedRange<UInt8> =
                switch first {
                case 0xE0: 0xA0...0xBF
                case 0xED: 0x80...0x9F
                case 0xF0: 0x90...0xBF
                case 0xF4: 0x80...0x8F
                default: 0x80...0xBF
                }
            guard range.contains(second) else { return index }
            for offset in 2..<max(length, 2) where !isContinuation(bytes[index + offset]) { return index }
            index += length
        }
        return nil
    }
}
