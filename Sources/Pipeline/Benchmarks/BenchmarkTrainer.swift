import Foundation
import Models
import Optimizers
import Tensors

/// A network with its optimizer that steps as `adapt` does: forward, backward, dropout, clipping and AdamW, in micro-batches.
///
/// The optimizer has the constants of `torch.optim.AdamW` that peers take: rate 2e-5 without a schedule, decay 0.01.
final class BenchmarkTrainer {
    let backend: CPUBackend
    let weights: Parameters
    private let network: SequenceModel<CPUBackend>
    private let optimizer: Optimizer
    private let dropout: Float
    private var step = 0

    /// What the steps on one batch took.
    struct Steps {
        /// Of every step but the first, which warms up.
        var seconds: [Double] = []
        /// Of every step, the first included.
        var losses: [Double] = []
        /// Over all steps but the first.
        var phases = PhaseTimes(), products = ProductCounts()
    }

    /// - Parameters:
    ///   - dropout: of all sites.
    ///   - tokens, sequences: in memory at a time.
    init(_ model: BenchmarkModel, dropout: Float, backend: CPUBackend, tokens: Int, sequences: Int) throws {
        (self.backend, self.dropout) = (backend, dropout)
        network = SequenceModel(
            model.configuration, model.head, backend: backend, tokenCapacity: tokens, sequenceCapacity: sequences, trains: true)
        weights = try model.weights(network.layout)
        let recipe = try Catalogue.row(named: "adamw").resolve([
            "learning_rate": 2e-5, "weight_decay": 0.01, "max_grad_norm": 1, "schedule": "constant", "warmup": 0,
        ])
        // A constant rate does not ask how many steps there are.
        optimizer = try recipe.makeOptimizer(layout: network.layout, steps: 1 << 20) { backend.parallel($0, $1) }
    }

    /// One step more than `count` on all of `data`.
    func run(_ count: Int, on data: TokenSplit) throws -> Steps {
        let objective = BatchObjective(
            model: network, parameters: weights, data: data, classWeights: nil,
            rates: DropoutRates(hidden: dropout, attention: dropout, classifier: dropout, seed: 0, step: 0), frozen: [],
            isCancelled: { false })
        let clock = ContinuousClock()
        var steps = Steps(), phases = PhaseTimes(), products = ProductCounts()
        for turn in 0...count {
            if turn == 1 { (phases, products) = (backend.times, backend.counts) }
            let started = clock.now
            objective.select(Array(0..<data.count)[...], step: step)
            steps.losses.append(try optimizer.step(objective).loss)
            if turn > 0 { steps.seconds.append(Trainer.seconds(clock.now - started)) }
            step += 1
        }
        (steps.phases, steps.products) = (backend.times - phases, backend.counts - products)
        return steps
    }
}

/// The middle one of several measurements, of an even number the mean of the two in the middle.
func median(_ values: [Double]) -> Double {
    let sorted = values.sorted(), middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
