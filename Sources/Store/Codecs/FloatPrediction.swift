/// What a delta expects an element to be, given the base's element: the same, or for float32 that times one factor
/// close to 1, as weight decay leaves rows that no gradient reached.
///
/// Only numbers far from zero, infinity and NaN are multiplied, so that the result is the same in every mode of the
/// processor.
struct FloatPrediction: Equatable, Sendable {
    static let range = 0.5...2.0

    let factor: Double

    @inline(__always) func callAsFunction(_ base: UInt32) -> UInt32 {
        let exponent = base &>> 23 & 255
        guard exponent &- 2 < 252 else { return base }
        return Float(Double(Float(bitPattern: base)) * factor).bitPattern
    }

    /// The factor about which the ratios of the elements to the base's lie densest; 1 where nothing is gained.
    static func factor(of plain: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer, count: Int) -> Double {
        var ratios: [Double] = []
        let step = max(1, count / 4096)
        for index in stride(from: 0, to: count, by: step) {
            let old = base.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
            let new = plain.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
            guard old &>> 23 & 255 &- 2 < 252, new &>> 23 & 255 &- 2 < 252 else { continue }
            let ratio = Double(Float(bitPattern: new)) / Double(Float(bitPattern: old))
            if abs(ratio - 1) < 0.01 { ratios.append(ratio) }
        }
        let share = ratios.count / 8
        guard share >= 16 else { return 1 }
        ratios.sort()
        var start = 0
        for first in 0..<(ratios.count - share) where ratios[first + share] - ratios[first] < ratios[start + share] - ratios[start] {
            start = first
        }
        // Rounding alone spreads the ratios by some 1e-7 and more after many steps; beyond that there is no one factor.
        guard ratios[start + share] - ratios[start] < 4e-6 else { return 1 }
        let mean = ratios[start...start + share].reduce(0, +) / Double(share + 1)
        return abs(mean - 1) < 5e-8 ? 1 : mean
    }
}

/// Floating-point bits as unsigned integers in the order of the numbers, −0 before +0.
@inline(__always)
func ordered<Word: FixedWidthInteger & UnsignedInteger>(_ bits: Word) -> Word {
    let top = Word(1) &<< Word(Word.bitWidth - 1)
    return bits & top != 0 ? ~bits : bits | top
}

/// The inverse of `ordered`.
@inline(__always)
func unordered<Word: FixedWidthInteger & UnsignedInteger>(_ rank: Word) -> Word {
    let top = Word(1) &<< Word(Word.bitWidth - 1)
    return rank & top != 0 ? rank & ~top : ~rank
}

/// A difference modulo 2^bits with its sign in the lowest bit, so that small ones of either sign are small.
@inline(__always)
func zigzag<Word: FixedWidthInteger & UnsignedInteger>(_ difference: Word) -> Word {
    difference &<< 1 ^ (0 &- difference &>> Word(Word.bitWidth - 1))
}

/// The inverse of `zigzag`.
@inline(__always)
func unzigzag<Word: FixedWidthInteger & UnsignedInteger>(_ value: Word) -> Word { value &>> 1 ^ (0 &- (value & 1)) }
