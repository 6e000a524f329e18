/// Conversions between float32 and the two 16-bit floating-point types, on bit patterns.
///
/// They do not depend on the thread's rounding mode or on its treatment of subnormal numbers, which a numeric library
/// may
/// have changed. Signed zeros, subnormal numbers, infinities and the payloads of NaN are kept.
enum HalfPrecision {
    /// F16 to float32, exact. Formula: a normal number moves its exponent by 112; a subnormal one is normalised by a
    /// subtraction of normal numbers.
    @inline(__always)
    static func float32(half bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) << 16
        let shifted = UInt32(bits & 0x7FFF) << 13
        let exponent = shifted & (0x7C00 << 13)
        let normal = shifted + (112 << 23)
        let special = shifted + (224 << 23)
        let subnormal = (Float(bitPattern: shifted + (113 << 23)) - Float(bitPattern: 113 << 23)).bitPattern
        let magnitude = exponent == 0x7C00 << 13 ? special : (exponent == 0 ? subnormal : normal)
        return Float(bitPattern: magnitude | sign)
    }

    /// BF16 to float32, exact.
    @inline(__always)
    static func float32(bfloat bits: UInt16) -> Float {
        Float(bitPattern: UInt32(bits) << 16)
    }

    /// float32 to BF16, to nearest, ties to even; NaN stays NaN.
    @inline(__always)
    static func bfloat(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if bits & 0x7FFF_FFFF > 0x7F80_0000 { return UInt16(bits >> 16) | 0x0040 }
        return UInt16((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    }

    /// float32 to F16, to nearest, ties to even; too large becomes infinity, NaN stays NaN.
    @inline(__always)
    static func half(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let sign = UInt16(bits >> 16 & 0x8000)
        let magnitude = bits & 0x7FFF_FFFF
        if magnitude > 0x7F80_0000 { return sign | 0x7E00 | UInt16(magnitude >> 13 & 0x1FF) }
        if magnitude >= 0x4780_0000 { return sign | 0x7C00 }
        if magnitude >= 0x3880_0000 {
            // A carry out of the mantissa raises the exponent, up to infinity, as it should.
            let rounded = magnitude + 0xFFF + (magnitude >> 13 & 1)
            return sign | UInt16((rounded - (112 << 23)) >> 13)
        }
        let shift = 126 - Int(magnitude >> 23)
        guard shift <= 24 else { return sign }
        let mantissa = magnitude & 0x7F_FFFF | 0x80_0000
        let quotient = mantissa >> UInt32(shift)
        let rest = mantissa & ((1 << UInt32(shift)) - 1)
        let middle: UInt32 = 1 << UInt32(shift - 1)
        let up: UInt32 = rest > middle || (rest == middle && quotient & 1 == 1) ? 1 : 0
        return sign | UInt16(quotient + up)
    }
}
