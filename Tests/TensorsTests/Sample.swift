/// Reproducible test data: SplitMix64, independent of the generator under test.
struct Sample: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: Int...) {
        state = seed.reduce(0x243F_6A88_85A3_08D3) { ($0 ^ UInt64(bitPattern: Int64($1))) &* 0x9E37_79B9_7F4A_7C15 }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var x = state
        x = (x ^ x >> 30) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ x >> 27) &* 0x94D0_49BB_1331_11EB
        return x ^ x >> 31
    }

    /// Nearly normal around `mean`: the sum of four uniform numbers.
    mutating func normal(_ count: Int, mean: Float = 0, deviation: Float = 1) -> [Float] {
        (0..<count).map { _ in
            let bits = next()
            let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
            return mean + deviation * (Float(sum) / 65_536 - 2) * 1.732_050_8
        }
    }

    mutating func indices(_ count: Int, below bound: Int) -> [Int32] {
        (0..<count).map { _ in Int32.random(in: 0..<Int32(bound), using: &self) }
    }
}
