import Tensors
import Testing

@testable import Optimizers

@Suite struct UnitRatesTests {
    @Test("Layer decay counts layers from the head to the embeddings")
    func multipliers() {
        let rates = UnitRates(layerDecay: 0.5)
        #expect(rates.multiplier(of: .head, blocks: 3) == 1)
        #expect(rates.multiplier(of: .block(2), blocks: 3) == 0.5)
        #expect(rates.multiplier(of: .block(0), blocks: 3) == 0.125)
        #expect(rates.multiplier(of: .embeddings, blocks: 3) == 0.0625)
        #expect(UnitRates(frozen: [.head]).multiplier(of: .head, blocks: 3) == nil)
        #expect(UnitRates.blocks(in: ToyLayouts.network) == 3)
    }

    @Test("Steps and decoupled decay of every tensor follow its own rate")
    func steps() throws {
        let layout = ToyLayouts.network
        let objective = Given(layout, weights: 1) { $0.fill(1) }
        let optimizer = try Optimizer(
            [DecoupledDecay(0.25)], search: ScheduledRate(0.5, schedule: Schedule(.constant, steps: 1)), layout: layout,
            rates: UnitRates(layerDecay: 0.5))
        _ = try optimizer.step(objective)
        let multipliers: [ParameterUnit: Float] = [
            .head: 1, .block(2): 0.5, .block(1): 0.25, .block(0): 0.125, .embeddings: 0.0625,
        ]
        for entry in layout.entries {
            let rate = try 0.5 * #require(multipliers[entry.unit])
            let expected = (entry.role.isDecayed ? 1 - rate * 0.25 : 1) - rate
            #expect(objective.parameters[entry].allSatisfy { $0 == expected }, "\(entry.name)")
        }
    }
}
