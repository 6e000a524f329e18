import Testing
@testable import Tensors
#if canImport(Glibc)
import Glibc
#else
import Foundation
#endif

struct DropCase: OperationCase {
    var rows: Int, columns: Int, probability: Float
    var testDescription: String { "dropout \(probability) of \(rows)×\(columns)" }
    var x: [Float] {
        var sample = Sample(rows, columns)
        return sample.normal(rows * columns)
    }

    func run<B: Backend>(on backend: B) -> [Output<B.Scalar>] {
        let block = Block<B.Scalar>(x)
        DropoutRows(probability: probability, rows: rows).with {
            backend.drop(rows: rows, columns: columns, block.pointer, $0)
        }
        return [Output(name: "x", values: block.values)]
    }

    /// Two roundings in 1/(1 − p), one in the product; a dropped element is exactly 0.
    func tolerances(exact: [Output<Double>]) -> [[Double]] { exact.map { $0.values.map { 3 * u * abs($0) } } }
}

@Suite("Dropout")
struct DropoutTests {
    @Test("agrees with the reference", arguments: [1, 31, 32, 33, 100], [1, 3, 15, 16, 17, 30, 48, 384, 385])
    func agreement(rows: Int, columns: Int) {
        for probability: Float in [0, 0.1, 0.5, 0.9] {
            expectAgreement(DropCase(rows: rows, columns: columns, probability: probability))
        }
    }

    @Test("drops exactly the elements whose bits lie under the threshold",
          arguments: CPUBackend.InstructionSet.available)
    func twin(set: CPUBackend.InstructionSet) {
        for probability: Float in [0.001, 0.1, 0.5, 0.999] {
            let key = CounterRNG.key(seed: 1, step: 2, site: 3)
            let dropout = DropoutRows(key: key, probability: probability, rows: 200)
            let x = Block<Float>([Float](repeating: 1, count: 200 * 77))
            dropout.with { CPUBackend(threads: 2, instructionSet: set).drop(rows: 200, columns: 77, x.pointer, $0) }
            let scale = 1 / (1 - probability)
            let expected = (0..<200 * 77).map { dropout.factor($0 / 77, $0 % 77) == 0 ? 0 : scale }
            #expect(x.values == expected, "p = \(probability)")
        }
    }

    @Test("of probability 0 touches nothing, not even a NaN's payload")
    func off() {
        for set in CPUBackend.InstructionSet.available {
            let x = Block<Float>([1, .nan, -0.0])
            DropoutRows(probability: 0, rows: 1).with {
                CPUBackend(threads: 1, instructionSet: set).drop(rows: 1, columns: 3, x.pointer, $0)
            }
            #expect(x.values.map(\.bitPattern) == [1, .nan, -0.0].map { (value: Float) in value.bitPattern })
        }
    }

    @Test("does not hide a NaN that it drops", arguments: CPUBackend.InstructionSet.available)
    func notANumber(set: CPUBackend.InstructionSet) {
        let x = Block<Float>([Float](repeating: .nan, count: 100))
        DropoutRows(probability: 0.5, rows: 1).with {
            CPUBackend(threads: 1, instructionSet: set).drop(rows: 1, columns: 100, x.pointer, $0)
        }
        let allNaN = x.values.allSatisfy(\.isNaN)
        #expect(allNaN)
    }

    /// Whether each element of `examples` sequences of 64 tokens and 384 features is kept.
    private func mask(key: UInt64, probability: Float, examples: Int32 = 8) -> [Bool] {
        let threshold = CounterRNG.dropoutThreshold(probability)
        var kept: [Bool] = []
        kept.reserveCapacity(Int(examples) * 64 * 384)
        for e in 0..<examples {
            for p: Int32 in 0..<64 {
                for f: Int32 in 0..<384 {
                    kept.append(CounterRNG.bits(key: key, example: e, position: p, feature: f) >= threshold)
                }
            }
        }
        return kept
    }

    @Test("keeps its share within five standard deviations", arguments: [0.001, 0.1, 0.5, 0.9] as [Float])
    func share(probability: Float) {
        for seed: UInt64 in 0..<5 {
            let kept = mask(key: CounterRNG.key(seed: seed, step: 7, site: 2), probability: probability)
            let count = Double(kept.count), p = Double(probability)
            let deviation = (count * p * (1 - p)).squareRoot()
            #expect(abs(Double(kept.count { $0 }) - count * (1 - p)) < 5 * deviation, "seed \(seed)")
        }
    }

    /// The correlation of two masks times √n: standard normal when they are independent.
    private func score(_ a: some Collection<Bool>, _ b: some Collection<Bool>, probability: Float) -> Double {
        let p = Double(1 - probability), n = Double(a.count)
        let both = Double(zip(a, b).count { $0 && $1 })
        let onlyA = Double(a.count { $0 }), onlyB = Double(b.count { $0 })
        let covariance = both / n - p * onlyA / n - p * onlyB / n + p * p
        return covariance / (p * (1 - p)) * n.squareRoot()
    }

    @Test("differs between seeds, steps, sites and heads without correlation")
    func independentKeys() {
        let key = CounterRNG.key(seed: 42, step: 100, site: 5)
        let first = mask(key: key, probability: 0.1)
        let others = [
            CounterRNG.key(seed: 43, step: 100, site: 5), CounterRNG.key(seed: 42, step: 101, site: 5),
            CounterRNG.key(seed: 42, step: 100, site: 6), CounterRNG.key(seed: 100, step: 42, site: 5),
            CounterRNG.key(seed: 42, step: 5, site: 100), key &+ 1, key &+ 2, key &+ 11,
        ]
        #expect(Set(others + [key]).count == 9)
        for (index, other) in others.enumerated() {
            let second = mask(key: other, probability: 0.1)
            #expect(first != second)
            #expect(abs(score(first, second, probability: 0.1)) < 5, "key \(index)")
        }
    }

    @Test("shows no correlation between neighbouring features, positions and examples",
          arguments: [0.1, 0.5] as [Float])
    func neighbours(probability: Float) {
        let kept = mask(key: CounterRNG.key(seed: 9, step: 0, site: 1), probability: probability)
        let distances = [1, 2, 3, 4, 8, 16, 32, 128, 384, 2 * 384, 3 * 384, 16 * 384, 64 * 384, 65 * 384]
        for distance in distances {
            #expect(abs(score(kept.dropLast(distance), kept.dropFirst(distance), probability: probability)) < 5,
                    "distance \(distance)")
        }
    }

    @Test("fills every pattern of eight neighbours equally: χ² with 255 degrees of freedom", arguments: [1, 384])
    func patterns(distance: Int) {
        let kept = mask(key: CounterRNG.key(seed: 3, step: 3, site: 3), probability: 0.5)
        var counts = [Int](repeating: 0, count: 256)
        let blocks = kept.count / (8 * distance)
        for block in 0..<blocks {
            for lane in 0..<distance {
                let first = block * 8 * distance + lane
                let pattern = (0..<8).reduce(0) { $0 << 1 | (kept[first + $1 * distance] ? 1 : 0) }
                counts[pattern] += 1
            }
        }
        let mean = Double(blocks * distance) / 256
        let chiSquare = counts.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) / mean }
        #expect(abs(chiSquare - 255) < 5 * (2 * 255.0).squareRoot())
    }

    @Test("of the number of kept features per row has the variance of a binomial distribution")
    func variance() {
        let kept = mask(key: CounterRNG.key(seed: 12, step: 1, site: 0), probability: 0.1, examples: 64)
        let rows = kept.count / 384
        let sums = (0..<rows).map { row in Double(kept[row * 384..<(row + 1) * 384].count { $0 }) }
        let variance = sums.reduce(0) { $0 + ($1 - 384 * 0.9) * ($1 - 384 * 0.9) } / Double(rows)
        // A variance of n samples scatters by about √(2/n) of itself.
        #expect(abs(variance / (384 * 0.9 * 0.1) - 1) < 5 * (2 / Double(rows)).squareRoot())
    }
}
