import Testing
@testable import Tensors

@Suite("The counter-based generator")
struct CounterRNGTests {
    /// The definition, written again: masks must stay the same for ever, or old runs could not be resumed.
    private func bits(_ key: UInt64, _ example: Int32, _ position: Int32, _ feature: Int32) -> UInt32 {
        let counter = UInt64(UInt32(bitPattern: example)) << 32 | UInt64(UInt32(bitPattern: position))
        let row = mix(counter &* 0x9E37_79B9_7F4A_7C15 &+ key)
        let x = UInt32(bitPattern: feature) &* 0x9E37_79B9 &+ UInt32(truncatingIfNeeded: row)
        return mix(mix(x) &+ UInt32(row >> 32))
    }

    private func mix(_ value: UInt64) -> UInt64 {
        var x = value
        x = (x ^ x >> 30) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ x >> 27) &* 0x94D0_49BB_1331_11EB
        return x ^ x >> 31
    }

    private func mix(_ value: UInt32) -> UInt32 {
        var x = value
        x = (x ^ x >> 16) &* 0x7FEB_352D
        x = (x ^ x >> 15) &* 0x846C_A68B
        return x ^ x >> 16
    }

    @Test("keeps its definition")
    func definition() {
        var sample = Sample(0)
        for _ in 0..<1000 {
            let key = sample.next()
            let (e, p, f) = (Int32(truncatingIfNeeded: sample.next()), Int32(truncatingIfNeeded: sample.next()),
                             Int32(truncatingIfNeeded: sample.next()))
            #expect(CounterRNG.bits(key: key, example: e, position: p, feature: f) == bits(key, e, p, f))
            let (seed, step, site) = (sample.next(), sample.next() % 1000, sample.next() % 100)
            let golden: UInt64 = 0x9E37_79B9_7F4A_7C15
            let expected = mix(mix(mix(seed &+ golden) &+ (step + 1) &* golden) &+ (site + 1) &* golden)
            #expect(CounterRNG.key(seed: seed, step: step, site: site) == expected)
        }
    }

    @Test("has a key of its own for every seed, step and site")
    func keys() {
        var keys: Set<UInt64> = []
        for seed: UInt64 in 0..<20 {
            for step: UInt64 in 0..<50 {
                for site: UInt64 in 0..<50 { keys.insert(CounterRNG.key(seed: seed, step: step, site: site)) }
            }
        }
        #expect(keys.count == 20 * 50 * 50)
    }

    @Test("turns a probability into its share of 2³²")
    func threshold() {
        #expect(CounterRNG.dropoutThreshold(0) == 0)
        #expect(CounterRNG.dropoutThreshold(0.5) == 1 << 31)
        #expect(CounterRNG.dropoutThreshold(0.25) == 1 << 30)
        #expect(CounterRNG.dropoutThreshold(1) == .max)
    }

    @Test("gives uniform numbers strictly between 0 and 1: χ² over 100 bins")
    func uniform() {
        for key: UInt64 in [0, 1, CounterRNG.key(seed: 1, step: 0, site: 0)] {
            var counts = [Int](repeating: 0, count: 100)
            // Across the border where the index spills into the second counter.
            let numbers = (0..<100_000).map { CounterRNG.uniform(key: key, index: (1 << 20) - 50_000 + $0) }
            #expect(numbers.min()! > 0 && numbers.max()! < 1)
            for number in numbers { counts[Int(number * 100)] += 1 }
            let chiSquare = counts.reduce(0) { $0 + (Double($1) - 1000) * (Double($1) - 1000) / 1000 }
            #expect(abs(chiSquare - 99) < 5 * (2 * 99.0).squareRoot())
        }
    }

    @Test("permutes: every index once", arguments: [0, 1, 2, 3, 10, 1000, 3668])
    func permutation(count: Int) {
        for key: UInt64 in 0..<5 {
            #expect(CounterRNG.permutation(count: count, key: key).sorted() == Array(0..<count))
        }
        #expect(CounterRNG.permutation(count: count, key: 7) == CounterRNG.permutation(count: count, key: 7))
    }

    @Test("permutes differently for different keys")
    func permutationKeys() {
        #expect(Set((0..<100).map { CounterRNG.permutation(count: 1000, key: UInt64($0)) }).count == 100)
    }

    @Test("gives all 120 orders of five elements equally often: χ² with 119 degrees of freedom")
    func permutationUniformity() {
        var counts: [[Int]: Int] = [:]
        for epoch: UInt64 in 0..<24_000 {
            let key = CounterRNG.key(seed: 8, step: epoch, site: 0)
            counts[CounterRNG.permutation(count: 5, key: key), default: 0] += 1
        }
        #expect(counts.count == 120)
        let chiSquare = counts.values.reduce(0) { $0 + (Double($1) - 200) * (Double($1) - 200) / 200 }
        #expect(abs(chiSquare - 119) < 5 * (2 * 119.0).squareRoot())
    }

    @Test("leaves one element in place on average")
    func fixedPoints() {
        let total = (0..<2000).reduce(0) { sum, key in
            sum + CounterRNG.permutation(count: 50, key: UInt64(key) &* 977).enumerated().count { $0 == $1 }
        }
        // The number of fixed points has mean 1 and variance 1.
        #expect(abs(Double(total) - 2000) < 5 * 2000.0.squareRoot())
    }
}
