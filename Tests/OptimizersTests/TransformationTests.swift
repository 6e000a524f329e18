import Foundation
import Tensors
import Testing

@testable import Optimizers

@Suite struct TransformationTests {
    private let search = ScheduledRate(0.1, schedule: Schedule(.constant, steps: 10))

    @Test("Clipping shortens by maximum/(norm + 1e-6), and never lengthens")
    func clipFactor() {
        #expect(ClipByGlobalNorm(1).factor(norm: 4) == 1 / (4 + 1e-6))
        #expect(ClipByGlobalNorm(1).factor(norm: 0.5) == 1)
        #expect(ClipByGlobalNorm(1).factor(norm: 0) == 1)
        // At exactly the maximum the small constant already counts, as in the reference.
        #expect(ClipByGlobalNorm(1).factor(norm: 1) < 1)
    }

    @Test("A gradient shorter than the maximum passes through clipping with its bits")
    func clipShort() throws {
        func end(_ chain: [any GradientTransformation]) throws -> [UInt32] {
            let objective = Parabola(ToyLayouts.network)
            _ = try Optimizer(chain, search: search, layout: ToyLayouts.network).step(objective)
            return objective.parameters.bits
        }
        #expect(try end([ClipByGlobalNorm(1e6)]) == end([]))
        #expect(try end([ClipByGlobalNorm(1)]) != end([]))
    }

    @Test(
        "Without a gradient, decay alone moves weights and embeddings and nothing else",
        arguments: [[DecoupledDecay(0.5)] as [any GradientTransformation], [AddDecayedWeights(0.5)]])
    func decayWhereItShould(_ chain: [any GradientTransformation]) throws {
        let objective = Given(ToyLayouts.network, weights: 2) { $0.fill(0) }
        _ = try Optimizer(chain, search: search, layout: ToyLayouts.network).step(objective)
        for entry in ToyLayouts.network.entries {
            let decayed = entry.role == .weight || entry.role == .embedding
            let expected: Float = decayed ? 1.9 : 2
            #expect(objective.parameters[entry].allSatisfy { abs($0 - expected) < 1e-6 }, "\(entry.name)")
        }
    }

    @Test("Decoupled decay shrinks before the step and stays outside Adam's moments")
    func decoupled() throws {
        let layout = ToyLayouts.network
        let plain = Parabola(layout)
        let decayed = Parabola(layout)
        let a = try Optimizer([ScaleByAdam()], search: search, layout: layout)
        let b = try Optimizer([ScaleByAdam(), DecoupledDecay(0.5)], search: search, layout: layout)
        let start = plain.parameters.elements
        _ = try a.step(plain)
        _ = try b.step(decayed)
        for (ours, theirs) in zip(a.state.moments, b.state.moments) { #expect(ours.values.bits == theirs.values.bits) }
        for (index, x) in plain.parameters["words"].enumerated() {
            #expect(abs(decayed.parameters["words"][index] - (x - 0.05 * start[index])) < 1e-6)
        }
    }

    @Test("Hyperparameters name every constant")
    func summaries() {
        #expect(ScaleByAdam().summary == "adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-08)")
        #expect(ClipByGlobalNorm(1).summary == "clip(max_norm: 1.0)")
        #expect(AccumulateMomentum(0.9, nesterov: true).summary == "momentum(momentum: 0.9, nesterov: true)")
        #expect(DecoupledDecay(0.01).summary == "decoupled-decay(weight_decay: 0.01)")
        #expect(AddDecayedWeights(0.01).summary == "add-decay(weight_decay: 0.01)")
        #expect(
            ScheduledRate(1e-3, schedule: Schedule(.linear, steps: 66, warmup: .share(0.1))).summary
                == "scheduled(learning_rate: 0.001, schedule: linear, steps: 66, warmup_steps: 6)")
    }

    @Test("The square root of each lane is the correctly rounded one")
    func roots() {
        var random = SplitMix(state: 3)
        for _ in 0..<1_000 {
            var x = Lanes()
            for lane in 0..<16 { x[lane] = Float(bitPattern: UInt32(truncatingIfNeeded: random.next() >> 33)) }
            let root = squareRoot(x)
            for lane in 0..<16 where x[lane].isFinite { #expect(root[lane] == x[lane].squareRoot()) }
        }
        #expect(squareRoot(Lanes.zero) == .zero)
    }

    #if arch(x86_64)
        @Test("A mean that fades below the normal numbers becomes zero, and other arithmetic is as before")
        func denormals() throws {
            let objective = Given(ToyLayouts.network) { $0.fill(0) }
            let optimizer = try Optimizer([ScaleByAdam()], search: search, layout: ToyLayouts.network)
            optimizer.state.moments[0].values.fill(2 * .leastNonzeroMagnitude)
            optimizer.state.moments[1].values.fill(1e-10)
            _ = try optimizer.step(objective)
            #expect(optimizer.state.moments[0].values.elements.allSatisfy { $0 == 0 })
            #expect(objective.parameters.elements.allSatisfy { $0 == 1 })
            var tiny = Float.leastNormalMagnitude
            tiny *= Float(optimizer.state.step) / 2
            #expect(tiny > 0, "the switch is set back")
        }
    #endif
}
