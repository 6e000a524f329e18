import Foundation
import Tensors
import Testing

@testable import Optimizers

@Suite struct SharpnessAwareTests {
    private let layout = ToyLayouts.network

    @Test("Losses, gradients and weights of 25 steps equal the reference's", arguments: 0..<3)
    func equalsReference(_ index: Int) throws {
        let golden = try SharpnessGolden.load()
        let run = golden.runs[index]
        let network = TinyNetwork(golden)
        let frozen: Set<ParameterUnit> = run.frozen == "hidden" ? [.block(0)] : []
        let objective = try SharpnessAwareObjective(network, radius: run.radius, frozen: frozen)
        let optimizer = try Optimizer(
            [], search: ScheduledRate(golden.rate, schedule: Schedule(.constant, steps: golden.steps)),
            layout: network.parameters.layout, rates: UnitRates(frozen: frozen))
        for step in 0..<golden.steps {
            let report = try optimizer.step(objective)
            #expect(abs(report.loss - run.losses[step]) <= 1e-6 * run.losses[step])
            #expect(abs(report.gradientNorm - run.gradientNorms[step]) <= 1e-6 * max(1, run.gradientNorms[step]))
        }
        for (ours, theirs) in zip(network.parameters.elements, run.end) {
            #expect(abs(Double(ours) - theirs) <= 1e-6 * max(1, abs(theirs)))
        }
    }

    @Test("The second gradient is taken at distance ρ along the first, and the weights come back bit for bit")
    func displacement() throws {
        let inner = Parabola(layout)
        // Values that arithmetic would not bring back.
        inner.parameters["words"][0] = -0.0
        inner.parameters["words"][1] = .leastNonzeroMagnitude
        inner.parameters["head.bias"][0] = 1e30
        inner.centre["head.bias"][0] = 1e30
        let watched = Watched(inner)
        let objective = try SharpnessAwareObjective(watched, radius: 0.25, frozen: [.block(1)])
        let before = inner.parameters.copy()
        let plain = Parameters(layout: layout)
        let gradient = Parameters(layout: layout)
        let loss = try inner.lossAndGradient(into: plain)
        #expect(try objective.lossAndGradient(into: gradient) == loss)
        #expect(inner.parameters.bits == before.bits)

        let seen = try #require(watched.seen.count == 2 ? watched.seen[1] : nil)
        let trained = layout.entries.filter { $0.unit != .block(1) }
        let norm = trained.reduce(0.0) { $0 + plain[$1].reduce(0) { $0 + Double($1) * Double($1) } }.squareRoot()
        for entry in layout.entries {
            for (index, x) in before[entry].enumerated() {
                let expected = entry.unit == .block(1) ? x : x + Float(0.25 / norm) * plain[entry][index]
                #expect(abs(seen[entry][index] - expected) <= 1e-6 * max(1, abs(x)), "\(entry.name) \(index)")
            }
        }
        let there = Parabola(layout)
        there.centre.assign(from: inner.centre)
        there.parameters.assign(from: seen)
        _ = try there.lossAndGradient(into: plain)
        #expect(gradient.bits == plain.bits)
    }

    @Test("Without a direction the plain gradient stays: one evaluation", arguments: [0, Float.nan, .infinity])
    func plainGradient(_ value: Float) throws {
        let watched = Watched(Given(layout, weights: 3) { $0.fill(value) })
        let objective = try SharpnessAwareObjective(watched)
        let gradient = Parameters(layout: layout)
        #expect(try objective.lossAndGradient(into: gradient) == 1)
        #expect(watched.seen.count == 1)
        #expect(gradient.elements.allSatisfy { $0.bitPattern == value.bitPattern })
        #expect(objective.parameters.elements.allSatisfy { $0 == 3 })
    }

    @Test("A gradient too short to be scaled to ρ stays as it is")
    func shortGradient() throws {
        let watched = Watched(Given(layout) { gradient in
            gradient.fill(0)
            gradient["words"][0] = 2e-38
        })
        let gradient = Parameters(layout: layout)
        _ = try SharpnessAwareObjective(watched, radius: 100).lossAndGradient(into: gradient)
        #expect(watched.seen.count == 1 && gradient["words"][0] == 2e-38)
    }

    @Test("An error of the second pass leaves the weights as they were")
    func failure() throws {
        let watched = Watched(Parabola(layout), failsAt: 2)
        let before = watched.parameters.bits
        let objective = try SharpnessAwareObjective(watched)
        #expect(throws: Watched.Failure.self) {
            try objective.lossAndGradient(into: Parameters(layout: layout))
        }
        #expect(watched.seen.count == 2 && watched.seen[1].bits != before)
        #expect(watched.parameters.bits == before)
    }

    @Test("Any number of threads gives the same bits")
    func threads() throws {
        func end(_ parallel: @escaping Parallel) throws -> [UInt32] {
            let parabola = Parabola(ToyLayouts.large)
            let objective = try SharpnessAwareObjective(parabola, radius: 1, parallel: parallel)
            let optimizer = try CatalogueRow.lamb.resolve(["warmup": 0, "learning_rate": 0.1])
                .makeOptimizer(layout: ToyLayouts.large, steps: 3, parallel: parallel)
            for _ in 0..<3 { _ = try optimizer.step(objective) }
            return parabola.parameters.bits
        }
        let alone = try end(serially)
        for count in [2, 3] { #expect(try end(RealThreads(count).run) == alone) }
    }

    @Test("Keeps nothing from step to step: a resumed run is the uninterrupted one")
    func resumed() throws {
        func make() throws -> Optimizer {
            try CatalogueRow.lamb.resolve(["learning_rate": 0.1]).makeOptimizer(layout: layout, steps: 8)
        }
        let whole = Parabola(layout)
        let first = try make()
        let objective = try SharpnessAwareObjective(whole, radius: 0.5)
        for _ in 0..<3 { _ = try first.step(objective) }
        let resumed = Parabola(layout)
        resumed.parameters.assign(from: whole.parameters)
        let second = try make()
        try second.restore(from: first.state)
        let fresh = try SharpnessAwareObjective(resumed, radius: 0.5)
        for _ in 3..<8 { #expect(try first.step(objective) == second.step(fresh)) }
        #expect(resumed.parameters.bits == whole.parameters.bits)
    }

    @Test("The loss alone is that at the weights, and nothing to train is refused")
    func rest() throws {
        let parabola = Parabola(layout)
        #expect(try SharpnessAwareObjective(parabola).loss() == parabola.loss())
        let all: Set<ParameterUnit> = [.embeddings, .block(0), .block(1), .block(2), .head]
        #expect(throws: OptimizerError.nothingToTrain) { try SharpnessAwareObjective(parabola, frozen: all) }
    }
}
