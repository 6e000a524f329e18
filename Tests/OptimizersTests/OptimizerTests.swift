import Foundation
import Tensors
import Testing

@testable import Optimizers

@Suite struct OptimizerTests {
    private func constant(_ rate: Double) -> ScheduledRate {
        ScheduledRate(rate, schedule: Schedule(.constant, steps: 100))
    }

    @Test("Without any transformation the step is x − η·g")
    func plainDescent() throws {
        let objective = Given(ToyLayouts.network, weights: 2) { $0.fill(0.5) }
        let optimizer = try Optimizer([], search: constant(0.25), layout: ToyLayouts.network)
        let report = try optimizer.step(objective)
        #expect(objective.parameters.elements.allSatisfy { $0 == 1.875 })
        let norm = 0.5 * Double(ToyLayouts.network.parameterCount).squareRoot()
        #expect(abs(report.gradientNorm - norm) < 1e-12)
        #expect(report.loss == 1 && report.step == 1 && report.learningRate == 0.25)
    }

    @Test(
        "A gradient that is not finite is refused by tensor, element and step, and nothing changes",
        arguments: [Float.nan, .infinity, -.infinity])
    func gradientNotFinite(_ bad: Float) throws {
        var poisoned = false
        let objective = Given(ToyLayouts.network) { gradient in
            gradient.fill(0.5)
            if poisoned { gradient["block1.weight"][7] = bad }
        }
        let optimizer = try Catalogue.row(named: "adamw").resolve(["warmup": 0])
            .makeOptimizer(layout: ToyLayouts.network, steps: 10)
        _ = try optimizer.step(objective)
        let weights = objective.parameters.bits
        let state = optimizer.state.copy()
        poisoned = true
        #expect(
            throws: OptimizerError.gradientNotFinite(
                tensor: "block1.weight", element: 7, value: "\(bad)", step: 2)
        ) { try optimizer.step(objective) }
        #expect(objective.parameters.bits == weights)
        #expect(optimizer.state.scalars == state.scalars)
        for (now, before) in zip(optimizer.state.moments, state.moments) {
            #expect(now.values.bits == before.values.bits)
        }
        poisoned = false
        #expect(try optimizer.step(objective).step == 2)
    }

    @Test("A loss that is not finite is refused, and nothing changes")
    func lossNotFinite() throws {
        let objective = Given(ToyLayouts.network, loss: .nan) { $0.fill(0.5) }
        let optimizer = try Optimizer([ScaleByAdam()], search: constant(1), layout: ToyLayouts.network)
        #expect(throws: OptimizerError.lossNotFinite(step: 1, value: "nan")) { try optimizer.step(objective) }
        #expect(objective.parameters.elements.allSatisfy { $0 == 1 })
        #expect(optimizer.state.step == 0)
    }

    @Test("Finite gradients of the largest size are no error")
    func largestGradient() throws {
        let objective = Given(ToyLayouts.network) { $0.fill(.greatestFiniteMagnitude) }
        let optimizer = try Optimizer(
            [ClipByGlobalNorm(1)], search: constant(0.1), layout: ToyLayouts.network)
        #expect(try optimizer.step(objective).gradientNorm.isFinite)
        #expect(objective.parameters.elements.allSatisfy { $0.isFinite })
    }

    @Test("The gradient of frozen units is in no norm, even where it is not finite")
    func frozenNorm() throws {
        let objective = Given(ToyLayouts.network) { gradient in
            gradient.fill(0)
            gradient["words"][0] = .nan
            gradient["head.bias"][0] = 3
            gradient["head.bias"][1] = 4
        }
        let optimizer = try Optimizer(
            [], search: constant(1), layout: ToyLayouts.network, rates: UnitRates(frozen: [.embeddings]))
        #expect(try optimizer.step(objective).gradientNorm == 5)
    }

    @Test("Freezing everything is refused")
    func nothingToTrain() {
        #expect(throws: OptimizerError.nothingToTrain) {
            try Optimizer(
                [], search: constant(1), layout: ToyLayouts.network,
                rates: UnitRates(frozen: [.embeddings, .block(0), .block(1), .block(2), .head]))
        }
    }

    /// Evaluates the batch again before it moves, and fails where that gives another loss.
    struct CheckingSearch: LineSearch {
        static let name = "checking"
        let hyperparameters: [(key: String, value: HyperparameterValue)] = []
        let formula = ["η = 0.5"]
        var scalars: [StateScalar] { [StateScalar(name: "search.tries", value: .integer(0))] }
        static func == (lhs: Self, rhs: Self) -> Bool { true }
        func hash(into hasher: inout Hasher) {}
        struct Failure: Error {}

        func advance(_ descent: Descent, scalars: inout [StateScalar]) throws -> SearchReport {
            guard case .integer(let tries) = scalars[0].value else { throw Failure() }
            scalars[0].value = .integer(tries + 1)
            // A second evaluation of the same batch, as trials make it.
            guard try descent.objective.loss() == descent.loss else { throw Failure() }
            descent.take(0.5)
            return SearchReport(learningRate: 0.5)
        }
    }

    @Test("A search keeps scalars of its own, changed only by steps that succeed")
    func searchScalars() throws {
        let objective = Parabola(ToyLayouts.network)
        let optimizer = try Optimizer([], search: CheckingSearch(), layout: ToyLayouts.network)
        #expect(try optimizer.step(objective).learningRate == 0.5)
        #expect(optimizer.state.scalars[1] == StateScalar(name: "search.tries", value: .integer(1)))
        let given = Given(ToyLayouts.network) { $0.fill(1) }
        given.trialLoss = 2
        let failing = try Optimizer([], search: CheckingSearch(), layout: ToyLayouts.network)
        #expect(throws: CheckingSearch.Failure.self) { try failing.step(given) }
        #expect(
            failing.state.scalars == [
                StateScalar(name: "step", value: .integer(0)), StateScalar(name: "search.tries", value: .integer(0)),
            ])
    }

    @Test("A chain passes over memory twice, and once more for each measurement in its middle")
    func passes() throws {
        var passes = 0
        let counting: Parallel = { count, body in
            passes += 1
            serially(count, body)
        }
        func count(_ chain: [any GradientTransformation]) throws -> Int {
            let optimizer = try Optimizer(
                chain, search: constant(0.1), layout: ToyLayouts.large, parallel: counting)
            passes = 0
            _ = try optimizer.step(Parabola(ToyLayouts.large))
            return passes
        }
        #expect(try count([ClipByGlobalNorm(1), ScaleByAdam(), DecoupledDecay(0.1)]) == 2)
        #expect(try count([AddDecayedWeights(0.1), AccumulateMomentum(0.9)]) == 2)
        #expect(try count([ClipByGlobalNorm(1), ScaleByAdam(), UnitTensors()]) == 3)
        #expect(try count([ClipByGlobalNorm(1), ScaleByAdam(), AddDecayedWeights(0.1), ScaleByTrustRatio()]) == 3)
        #expect(try count([ScaleByLARS(), AccumulateMomentum(0.9)]) == 2)
        #expect(try count([UnitTensors(), ScaleByAdam(), ClipByGlobalNorm(1), UnitTensors()]) == 4)
    }
}
