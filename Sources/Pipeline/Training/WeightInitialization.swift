import Tensors

/// New weights: normal with the model's own deviation, biases zero, as `transformers` makes them.
enum WeightInitialization {
    private static let site: UInt64 = 2 << 32

    static func fill(_ parameters: Parameters, names: [String], deviation: Double, seed: UInt64) {
        for (index, name) in names.enumerated() {
            guard let entry = parameters.layout[name] else { continue }
            let values = parameters[entry]
            guard entry.role == .weight || entry.role == .embedding else {
                values.update(repeating: entry.role == .normalization && name.hasSuffix("weight") ? 1 : 0)
                continue
            }
            let key = CounterRNG.key(seed: seed, step: UInt64(index), site: site)
            for i in values.indices {
                values[i] = Float(CounterRNG.normal(
                    CounterRNG.uniform(key: key, index: 2 * i), CounterRNG.uniform(key: key, index: 2 * i + 1), deviation: deviation))
            }
        }
    }
}
