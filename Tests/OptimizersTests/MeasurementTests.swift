import Foundation
import Tensors
import Testing

@testable import Optimizers

/// Scales each tensor's direction by ‖x‖/‖u‖: a transformation that measures per tensor.
struct UnitTensors: GradientTransformation {
    static let name = "unit-tensors"
    var hyperparameters: [(key: String, value: HyperparameterValue)] { [] }
    var formula: [String] { ["u ← u·‖x‖/‖u‖"] }
    var measures: Measures { [.direction, .weights] }
    static func == (lhs: Self, rhs: Self) -> Bool { true }
    func hash(into hasher: inout Hasher) {}

    func operation(for step: StepContext) -> ((Chunk) -> Void)? {
        let ratios = zip(step.measurement.weights, step.measurement.direction).map { weights, direction in
            Float(weights > 0 && direction > 0 ? (weights / direction).squareRoot() : 1)
        }
        return { chunk in
            for i in 0..<chunk.count { chunk.output[i] = chunk.input[i] * ratios[chunk.tensor] }
        }
    }
}

@Suite struct MeasurementTests {
    private let search = ScheduledRate(0.1, schedule: Schedule(.constant, steps: 10))

    /// Two steps of the chain in double, one tensor at a time.
    private func expected(_ objective: Parabola, steps: Int) throws -> [[Double]] {
        let gradient = Parameters(layout: objective.parameters.layout)
        let probe = Parabola(objective.parameters.layout)
        var x = probe.parameters.layout.entries.map { probe.parameters[$0].map(Double.init) }
        var m = x.map { $0.map { _ in 0.0 } }
        var v = m
        for step in 1...steps {
            for (index, entry) in probe.parameters.layout.entries.enumerated() {
                for (element, value) in x[index].enumerated() { probe.parameters[entry][element] = Float(value) }
            }
            _ = try probe.lossAndGradient(into: gradient)
            for (index, entry) in probe.parameters.layout.entries.enumerated() {
                let g = gradient[entry].map(Double.init)
                var u = g
                for i in g.indices {
                    m[index][i] = 0.9 * m[index][i] + 0.1 * g[i]
                    v[index][i] = 0.999 * v[index][i] + 0.001 * g[i] * g[i]
                    let corrected = (v[index][i] / (1 - pow(0.999, Double(step)))).squareRoot()
                    u[i] = m[index][i] / (1 - pow(0.9, Double(step))) / (corrected + 1e-8)
                    if entry.role.isDecayed { u[i] += 0.3 * x[index][i] }
                }
                func norm(_ a: [Double]) -> Double { a.reduce(0) { $0 + $1 * $1 }.squareRoot() }
                let ratio = norm(x[index]) / norm(u)
                for i in g.indices { x[index][i] -= 0.1 * ratio * u[i] }
            }
        }
        return x
    }

    @Test(
        "Norms per tensor of the direction so far and of the weights reach a transformation in mid-chain",
        arguments: [ToyLayouts.network, ToyLayouts.large])
    func trustRatio(_ layout: ParameterLayout) throws {
        let objective = Parabola(layout)
        let optimizer = try Optimizer(
            [ScaleByAdam(), AddDecayedWeights(0.3), UnitTensors()], search: search, layout: layout)
        for _ in 0..<2 { _ = try optimizer.step(objective) }
        let expected = try expected(objective, steps: 2)
        for (index, entry) in layout.entries.enumerated() {
            for (ours, theirs) in zip(objective.parameters[entry], expected[index]) {
                #expect(abs(Double(ours) - theirs) < 2e-6)
            }
        }
    }

    @Test("Clipping after another transformation uses the norm of what reaches it")
    func clippingInTheMiddle() throws {
        let layout = ToyLayouts.network
        let objective = Given(layout, weights: 0) { $0.fill(-7) }
        let optimizer = try Optimizer([ScaleByAdam(), ClipByGlobalNorm(2)], search: search, layout: layout)
        _ = try optimizer.step(objective)
        // Adam's first direction is the sign of the gradient, so its norm is √n.
        let expected = 0.1 * 2 / Double(layout.parameterCount).squareRoot()
        #expect(objective.parameters.elements.allSatisfy { abs(Double($0) - expected) < 1e-6 * expected })
    }

    @Test("The norm of many elements is exact to double rounding")
    func norm() throws {
        let layout = ToyLayouts.large
        let objective = Parabola(layout)
        let optimizer = try Optimizer([], search: search, layout: layout)
        let gradient = Parameters(layout: layout)
        _ = try objective.lossAndGradient(into: gradient)
        let exact = gradient.elements.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        #expect(abs(try optimizer.step(objective).gradientNorm - exact) <= 1e-13 * exact)
    }
}
