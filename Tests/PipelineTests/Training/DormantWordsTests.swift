import Foundation
import Models
import Tensors
import Testing

@testable import Pipeline

/// Words that no training sentence has are left out of the optimizer's passes; nothing that reads the weights may notice.
@Suite struct DormantWordsTests {
    private func table(_ name: String, _ toy: ToyStore) throws -> (values: [Float], width: Int) {
        let model = try StoredModel.find(name, in: toy.store)
        let head = model.description.head?.configuration ?? HeadConfiguration(outputs: 2, loss: .crossEntropy)
        let weights = Parameters(layout: SequenceModel<CPUBackend>.layout(model.description.configuration, head))
        _ = try model.load(into: weights) { $0.unit != .head }
        return (Array(weights[model.description.configuration.wordTable]), model.description.configuration.hiddenSize)
    }

    @Test(arguments: ["adamw", "lamb"])
    func `they decay as in a pass over all weights, and are up to date in the adapted model`(optimizer: String) throws {
        let toy = try ToyStore.ready()
        let run = ToyAdaptation(["optimizer": .text(optimizer), "steps": 5, "weight_decay": 0.5, "learning_rate": 0.25, "schedule": "constant", "select": "last"])
        let setup = try AdaptSetup(run.stage, toy.context())
        let (before, width) = try table("tiny", toy)
        _ = try run.run(toy)
        let after = try table("run", toy).values
        let unused = Set(0..<before.count / width).subtracting(setup.train.ids.map { Int($0) })
        #expect(!unused.isEmpty && width % 16 == 0)
        guard optimizer == "adamw" else {
            // A chain that scales by the whole tensor moves them too, by a factor of its own.
            let row = try #require(unused.first { before[$0 * width] != 0 })
            return #expect(after[row * width] != before[row * width] && abs(after[row * width] / before[row * width] - 0.513) > 0.01)
        }
        let keep = Float(1 - 0.25 * 0.5)
        for row in unused {
            for i in row * width..<(row + 1) * width { #expect(after[i] == (0..<5).reduce(before[i]) { x, _ in x * keep }) }
        }
    }

    @Test func `an evaluation and a checkpoint in between change nothing`() throws {
        let toy = try ToyStore.ready()
        var run = ToyAdaptation(["steps": 6, "weight_decay": 0.5, "learning_rate": 0.05, "evaluate": 2])
        run.checkpointSteps = 1
        let often = try run.run(toy.copy())
        run.checkpointSteps = nil
        let never = try run.run(toy.copy())
        #expect(often.trace == never.trace)
        // An interrupted run goes on from weights that a checkpoint brought up to date.
        #expect(try run.run(toy, interruptedAfter: [9]).trace == never.trace)
    }
}
