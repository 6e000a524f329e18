/// How far two tensors of floating-point numbers are from one another.
struct TensorDistance: Hashable, Sendable {
    /// ‖a − b‖ / ‖a‖ over all elements, in double precision; infinite for a zero `a`, NaN where either has one.
    let relative: Double
    /// Elements whose bytes differ.
    let changedCount: Int
    let count: Int

    /// Elements of `type` in little-endian bytes, equally many.
    init?(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ type: ElementType) {
        precondition(a.count == b.count, "equally many elements")
        switch type {
        case .float64: self.init(a, b, UInt64.self) { Double(bitPattern: $0) }
        case .float32: self.init(a, b, UInt32.self) { Double(Float(bitPattern: $0)) }
        case .bfloat16: self.init(a, b, UInt16.self) { Double(Float(bitPattern: UInt32($0) << 16)) }
        case .float16: self.init(a, b, UInt16.self, Self.half)
        default: return nil
        }
    }

    private init<Word: FixedWidthInteger>(
        _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ type: Word.Type, _ value: (Word) -> Double
    ) {
        let width = MemoryLayout<Word>.size
        var (difference, norm, changed) = (0.0, 0.0, 0)
        for offset in stride(from: 0, to: a.count, by: width) {
            let x = Word(littleEndian: a.loadUnaligned(fromByteOffset: offset, as: type))
            let y = Word(littleEndian: b.loadUnaligned(fromByteOffset: offset, as: type))
            let first = value(x)
            norm += first * first
            guard x != y else { continue }
            changed += 1
            let step = first - value(y)
            difference += step * step
        }
        relative = norm > 0 ? (difference / norm).squareRoot() : difference > 0 ? .infinity : difference
        changedCount = changed
        count = a.count / width
    }

    /// IEEE 754 binary16, without needing the type on every processor.
    private static func half(_ bits: UInt16) -> Double {
        let sign = bits & 0x8000 == 0 ? 1.0 : -1.0
        let (exponent, fraction) = (Int(bits >> 10 & 31), Double(bits & 1023))
        switch exponent {
        case 0: return sign * fraction * 0x1p-24
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default: return sign * (1 + fraction / 1024) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
        }
    }
}
