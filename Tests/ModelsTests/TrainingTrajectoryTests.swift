import Models
import Optimizers
import Tensors
import Testing

/// Fifty AdamW steps of a tiny BERT against PyTorch in double; made by Fixtures/models/make_goldens.py.
struct TrainingTrajectoryTests {
    final class GoldenObjective: Objective {
        let golden: Golden, model: SequenceModel<CPUBackend>, parameters: Parameters, batch: PackedBatch
        var rows: [Int] = []

        init(_ golden: Golden, _ backend: CPUBackend) {
            self.golden = golden
            model = SequenceModel(golden.configuration, golden.head, backend: backend, tokenCapacity: 128, sequenceCapacity: 8,
                                  trains: true)
            parameters = golden.parameters(model.layout)
            batch = golden.batch()
        }

        func loss() -> Double {
            golden.fill(batch, rows)
            model.forward(parameters, batch)
            return model.loss(normalizer: golden.normalizer(rows.count)) / golden.normalizer(rows.count)
        }

        func lossAndGradient(into gradient: Parameters) -> Double {
            gradient.fill(0)
            let loss = loss()
            model.backward(into: gradient)
            return loss
        }
    }

    @Test("losses, learning rates and weights follow PyTorch's", arguments: CPUBackend.InstructionSet.available)
    func trajectory(set: CPUBackend.InstructionSet) throws {
        let golden = try Golden("bert-adamw"), training = try #require(golden.training)
        let backend = CPUBackend(threads: 2, instructionSet: set)
        let objective = GoldenObjective(golden, backend), start = objective.parameters.copy()
        let recipe = try Catalogue.row(named: "adamw").resolve([
            "learning_rate": 1e-3, "warmup": 5, "weight_decay": 0.01, "max_grad_norm": 1,
        ])
        let optimizer = try recipe.makeOptimizer(layout: objective.model.layout, steps: 50) { backend.parallel($0, $1) }
        let losses = training["losses"] as! [Double], rates = training["learning_rates"] as! [Double]
        for (step, rows) in (training["order"] as! [[Int]]).enumerated() {
            objective.rows = rows
            let report = try optimizer.step(objective)
            #expect(abs(report.loss - losses[step]) <= 1e-5 * abs(losses[step]), "step \(step): \(report.loss), \(losses[step])")
            #expect(abs(report.learningRate - rates[step]) <= 1e-12)
        }
        let moved = objective.model.layout.entries.filter { !$0.name.hasSuffix("key.bias") }.reduce(0.0) { sum, entry in
            zip(objective.parameters[entry], start[entry]).reduce(sum) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        }.squareRoot()
        let distance = training["distance"] as! Double
        #expect(abs(moved - distance) <= 1e-3 * distance)
        for (key, expected) in golden.expected where key.hasPrefix("final.") {
            let name = String(key.dropFirst(6))
            let difference = norm(zip(objective.parameters[name], expected).map { $0 - $1 })
            let travelled = norm(zip(expected, golden.weights[name]!).map { $0 - $1 })
            #expect(difference <= 1e-3 * travelled, "\(name): \(difference) of \(travelled)")
        }
    }
}
