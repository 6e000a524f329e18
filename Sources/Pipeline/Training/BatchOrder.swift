import Foundation
import Store
import Tensors

/// Which examples make up each update: a pure function of (seed, epoch, position), so that there is no state to lose.
///
/// An epoch is a permutation of all examples cut into batches; the last batch of an epoch may be smaller.
struct BatchOrder: Sendable {
    let exampleCount: Int
    /// Of the largest batch.
    let batchSize: Int
    private let seed: UInt64
    /// A given order: epochs of batches of example numbers.
    private let fixed: [[[Int]]]?

    init(exampleCount: Int, batchSize: Int, seed: UInt64) {
        (self.exampleCount, self.batchSize, self.seed, fixed) = (exampleCount, batchSize, seed, nil)
    }

    /// Every update's examples, written out.
    ///
    /// - Throws: `PipelineError` with code `unfitInput` for numbers that are no examples.
    init(fixed: [[[Int]]], exampleCount: Int) throws {
        for (e, epoch) in fixed.enumerated() {
            for (b, batch) in epoch.enumerated() where batch.isEmpty || batch.contains(where: { $0 < 0 || $0 >= exampleCount }) {
                throw PipelineError(.unfitInput, "batch \(b) of epoch \(e) of the given order is empty or names an example outside 0 to \(exampleCount - 1)")
            }
        }
        guard !fixed.isEmpty, fixed.allSatisfy({ !$0.isEmpty }) else { throw PipelineError(.unfitInput, "the given order has an empty epoch") }
        (self.exampleCount, batchSize, seed, self.fixed) = (exampleCount, fixed.joined().map(\.count).max() ?? 1, 0, fixed)
    }

    func batchCount(epoch: Int) -> Int {
        if let fixed { return fixed[epoch % fixed.count].count }
        return (exampleCount + batchSize - 1) / batchSize
    }

    /// Updates of `epochs` passes; a fraction of an epoch is rounded to the nearest update, at least one.
    func steps(epochs: Double) -> Int {
        let whole = Int(epochs), part = epochs - Double(whole)
        let full = (0..<whole).reduce(0) { $0 + batchCount(epoch: $1) }
        return max(1, full + Int((part * Double(batchCount(epoch: whole))).rounded()))
    }

    /// Epoch and batch of a 0-based update.
    func place(step: Int) -> (epoch: Int, batch: Int) {
        guard fixed != nil else { return (step / batchCount(epoch: 0), step % batchCount(epoch: 0)) }
        var epoch = 0, rest = step
        while rest >= batchCount(epoch: epoch) {
            rest -= batchCount(epoch: epoch)
            epoch += 1
        }
        return (epoch, rest)
    }

    func isEndOfEpoch(step: Int) -> Bool {
        let (epoch, batch) = place(step: step)
        return batch == batchCount(epoch: epoch) - 1
    }

    private static let site: UInt64 = 1 << 32

    /// All examples of an epoch in their order. Of a given order: one batch after the other.
    func permutation(epoch: Int) -> [Int] {
        if let fixed { return fixed[epoch % fixed.count].flatMap { $0 } }
        return CounterRNG.permutation(count: exampleCount, key: CounterRNG.key(seed: seed, step: UInt64(epoch), site: Self.site))
    }

    /// The examples of a batch, given its epoch's permutation.
    func batch(_ index: Int, epoch: Int, of permutation: [Int]) -> ArraySlice<Int> {
        if let fixed {
            let batches = fixed[epoch % fixed.count]
            let start = batches[..<index].reduce(0) { $0 + $1.count }
            return permutation[start..<start + batches[index].count]
        }
        return permutation[index * batchSize..<min(exampleCount, (index + 1) * batchSize)]
    }

    /// Tokens that no batch has more of, for lengths by example.
    func mostTokens(length: (Int) -> Int) -> Int {
        if let fixed { return fixed.joined().map { $0.reduce(0) { $0 + length($1) } }.max() ?? 0 }
        return (0..<exampleCount).map(length).sorted(by: >).prefix(batchSize).reduce(0, +)
    }

    /// What identifies a given order in the run's key; nil for the order of the seed.
    var identity: JSONValue? {
        get throws {
            guard let fixed else { return nil }
            let text = JSONValue.array(fixed.map { .array($0.map { .array($0.map { .integer(Int64($0)) }) }) })
            return .string(Digest(of: try text.canonicalBytes()).description)
        }
    }
}
