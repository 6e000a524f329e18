import Tensors
import Testing

@testable import Optimizers

@Suite struct ScaleByLARSTests {
    private let layout = ToyLayouts.network
    private let search = ScheduledRate(0.5, schedule: Schedule(.constant, steps: 9))

    @Test("The ratio is c·‖x‖/(‖g‖ + wd·‖x‖ + ε), and c where a norm is 0")
    func rules() {
        let lars = ScaleByLARS(trustCoefficient: 0.5, weightDecay: 0.25, epsilon: 1)
        #expect(lars.ratio(weights: 8, direction: 5) == 0.5)
        #expect(lars.ratio(weights: 0, direction: 5) == 0.5)
        #expect(lars.ratio(weights: 8, direction: 0) == 0.5)
        #expect(lars.exemptFactor == 0.5)
        let extreme = ScaleByLARS(trustCoefficient: 1000, epsilon: 1e-30)
        #expect(extreme.ratio(weights: 1e9, direction: 2e-38) == Double(Float.greatestFiniteMagnitude))
    }

    @Test("Decay is inside the scaling on weights and embeddings; biases and LayerNorm move by c·g")
    func step() throws {
        let objective = Given(layout, weights: 2) { $0.fill(0.5) }
        let lars = ScaleByLARS(trustCoefficient: 0.25, weightDecay: 0.125, epsilon: 1e-30)
        let report = try Optimizer([lars], search: search, layout: layout).step(objective)
        for entry in layout.entries {
            // ‖x‖/(‖g‖ + wd·‖x‖) is 2/(0.5 + 0.25) for every tensor here.
            let expected: Float = entry.role.isDecayed ? 2 - 0.5 * 0.25 * (2 / 0.75) * 0.75 : 2 - 0.5 * 0.25 * 0.5
            #expect(objective.parameters[entry].allSatisfy { abs($0 - expected) < 1e-6 }, "\(entry.name)")
        }
        let ratios = try #require(report.trustRatios)
        #expect(abs(ratios.min - 2.0 / 3) < 1e-12 && abs(ratios.max - 2.0 / 3) < 1e-12)
    }

    @Test("A tensor of zeros moves, and a tensor without gradient only decays as slowly as the others learn")
    func zeroNorms() throws {
        let lars = ScaleByLARS(trustCoefficient: 0.25, weightDecay: 0.125)
        let zeros = Given(layout, weights: 0) { $0.fill(1) }
        _ = try Optimizer([lars], search: search, layout: layout).step(zeros)
        #expect(zeros.parameters.elements.allSatisfy { $0 == -0.125 })
        let still = Given(layout, weights: 2) { $0.fill(0) }
        _ = try Optimizer([lars], search: search, layout: layout).step(still)
        for entry in layout.entries {
            let expected: Float = entry.role.isDecayed ? 2 - 0.5 * 0.25 * 0.25 : 2
            #expect(still.parameters[entry].allSatisfy { $0 == expected }, "\(entry.name)")
        }
    }

    @Test("Momentum averages what the ratio has scaled: a gradient ten times as long moves no further")
    func momentumAfterRatio() throws {
        func end(_ lengths: [Float]) throws -> [Float] {
            var step = 0
            let objective = Given(layout, weights: 1) { gradient in
                gradient.fill(lengths[step])
                step += 1
            }
            let optimizer = try CatalogueRow.lars
                .resolve(["max_grad_norm": 0, "warmup": 0, "schedule": "constant", "weight_decay": 0])
                .makeOptimizer(layout: layout, steps: 3)
            for _ in lengths { _ = try optimizer.step(objective) }
            return Array(objective.parameters["block1.weight"])
        }
        for (a, b) in zip(try end([1, 1, 1]), try end([1, 10, 1])) { #expect(abs(a - b) < 1e-6 && a < 0.997) }
    }
}
