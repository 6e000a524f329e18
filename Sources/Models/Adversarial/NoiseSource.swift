import Tensors

/// Where initial noise comes from: the counter generator, keyed by (seed, step, site, example in the batch, position, feature).
/// So a step's noise is the same for any cut into micro-batches and any number of threads.
struct NoiseSource {
    let seed: UInt64, step: UInt64

    /// Numbers of the draws, away from those of dropout.
    private enum Site {
        static let first: UInt64 = 8 << 32
        static let second: UInt64 = first + 1
        static let share: UInt64 = first + 2
    }

    private func key(_ site: UInt64) -> UInt64 { CounterRNG.key(seed: seed, step: step, site: site) }

    /// Whether an example has noise in this step: a uniform draw of its own is below `share`.
    func perturbs(example: Int32, share: Double) -> Bool {
        share >= 1 || Self.uniform(key(Site.share), example, 0, 0) < share
    }

    /// δ [length, C] of one example. Drawn in double, rounded once.
    @_specialize(where Scalar == Float)
    @_specialize(where Scalar == Double)
    func fill<Scalar: BinaryFloatingPoint>(_ values: UnsafeMutablePointer<Scalar>, length: Int, C: Int, example: Int32,
                                           _ initialization: NoiseSettings.Initialization) {
        let first = key(Site.first), second = key(Site.second)
        func each(_ value: (_ position: Int32, _ feature: Int32) -> Double) {
            for t in 0..<length {
                for i in 0..<C { values[t * C + i] = Scalar(value(Int32(t), Int32(i))) }
            }
        }
        switch initialization {
        case .zero:
            values.update(repeating: 0, count: length * C)
        case .scaledUniform(let deviation):
            let scale = deviation / Double(length * C).squareRoot()
            each { scale * (2 * Self.uniform(first, example, $0, $1) - 1) }
        case .uniform(let bound):
            each { bound * (2 * Self.uniform(first, example, $0, $1) - 1) }
        case .normal(let deviation):
            each {
                CounterRNG.normal(Self.uniform(first, example, $0, $1), Self.uniform(second, example, $0, $1), deviation: deviation)
            }
        }
    }

    private static func uniform(_ key: UInt64, _ example: Int32, _ position: Int32, _ feature: Int32) -> Double {
        CounterRNG.uniform(bits: CounterRNG.bits(key: key, example: example, position: position, feature: feature))
    }
}
