import Testing

@testable import Pipeline

@Suite struct HalfPrecisionTests {
    @Test func `every half converts as the language converts it`() {
        var wrong: [UInt16] = []
        for bits in UInt16.min...UInt16.max {
            let ours = HalfPrecision.float32(half: bits)
            let theirs = Float(Float16(bitPattern: bits))
            if theirs.isNaN ? !ours.isNaN : ours.bitPattern != theirs.bitPattern { wrong.append(bits) }
        }
        #expect(wrong == [])
    }

    @Test func `float32 rounds to half as the language rounds it`() {
        var generator = SafeTensorsFuzzTests.Generator(state: 7)
        var wrong: [Float] = []
        for _ in 0..<500_000 {
            // Exponents around the range of a half, and any mantissa; a third of them are exact ties.
            let exponent = UInt32.random(in: 95...150, using: &generator)
            var mantissa = UInt32.random(in: 0..<(1 << 23), using: &generator)
            if mantissa % 3 == 0 { mantissa = mantissa & ~0x1FFF | 0x1000 }
            let sign = UInt32.random(in: 0...1, using: &generator)
            let value = Float(bitPattern: sign << 31 | exponent << 23 | mantissa)
            if HalfPrecision.half(value) != Float16(value).bitPattern { wrong.append(value) }
        }
        #expect(wrong == [])
        #expect(HalfPrecision.half(.infinity) == 0x7C00)
        #expect(HalfPrecision.half(-.infinity) == 0xFC00)
        #expect(HalfPrecision.float32(half: HalfPrecision.half(.nan)).isNaN)
    }

    @Test func `every bfloat survives the way through float32`() {
        var wrong: [UInt16] = []
        for bits in UInt16.min...UInt16.max {
            let value = HalfPrecision.float32(bfloat: bits)
            let back = HalfPrecision.bfloat(value)
            if value.isNaN ? !HalfPrecision.float32(bfloat: back).isNaN : back != bits { wrong.append(bits) }
        }
        #expect(wrong == [])
    }

    @Test func `float32 rounds to bfloat at ties to even and overflows to infinity`() {
        #expect(HalfPrecision.bfloat(Float(bitPattern: 0x3F80_8000)) == 0x3F80)
        #expect(HalfPrecision.bfloat(Float(bitPattern: 0x3F81_8000)) == 0x3F82)
        #expect(HalfPrecision.bfloat(Float(bitPattern: 0x3F80_8001)) == 0x3F81)
        #expect(HalfPrecision.bfloat(.greatestFiniteMagnitude) == 0x7F80)
        #expect(HalfPrecision.float32(bfloat: HalfPrecision.bfloat(Float(bitPattern: 0x7F80_0001))).isNaN)
    }
}
