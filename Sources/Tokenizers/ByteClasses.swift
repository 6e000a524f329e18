/// A small number for each byte, in flat memory. Immutable after `init`.
final class ByteClasses: @unchecked Sendable {
    /// For bytes of characters that take more than one.
    static let multibyte: UInt8 = 0xFF

    let base: UnsafePointer<UInt8>

    init(_ classify: (UInt8) -> UInt8) {
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
        for byte in 0..<256 { memory[byte] = classify(UInt8(byte)) }
        base = UnsafePointer(memory)
    }

    deinit { base.deallocate() }
}
