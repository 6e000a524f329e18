/// Reading valid UTF-8 bytes directly.
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
}
