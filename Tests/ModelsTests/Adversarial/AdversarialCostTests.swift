import Tensors
import Testing

@testable import Models

/// The cost of a step, by the products that the backend counts.
struct AdversarialCostTests {
    struct Cost {
        var counts: ProductCounts
        var passes: PassCounts
    }

    private func cost(_ settings: AdversarialSettings?, size: Int = 20) throws -> Cost {
        let bench = try AdversarialPassTests.bench()
        let counts = bench.backend.counts, passes = bench.model.passes
        if let settings {
            let pass = AdversarialPass(bench.model, settings, seed: 5, steps: 10)
            _ = try bench.evaluate(pass, rows: AdversarialPassTests.rows, size: size, step: 3)
        } else {
            _ = try bench.evaluate(PlainPass(bench.model), rows: AdversarialPassTests.rows, size: size, step: 3)
        }
        return Cost(counts: bench.backend.counts - counts, passes: bench.model.passes - passes)
    }

    @Test("a plain step is one unit forward and two backward, and the passes are what the products say")
    func plain() throws {
        let cost = try cost(nil), golden = try Golden("classes", in: "adversarial")
        let tokens = AdversarialPassTests.rows.reduce(0) { $0 + golden.ids[$1].count }, c = golden.configuration
        // The last block computes keys and values alone of all tokens, the rest of first tokens.
        let square = c.hiddenSize * c.hiddenSize, block = 4 * square + 2 * c.hiddenSize * c.intermediateSize
        let perToken = (c.layerCount - 1) * block + 2 * square
        let perSequence = block - 2 * square + c.hiddenSize * (c.hiddenSize + golden.head.outputs)
        #expect(cost.counts.forward == tokens * perToken + 64 * perSequence)
        #expect(cost.counts.inputGradient == cost.counts.forward && cost.counts.weightGradient == cost.counts.forward)
        #expect(cost.passes.forwardTokens == Double(tokens) && cost.passes.inputGradientTokens == Double(tokens))
        #expect(cost.passes.weightGradientTokens == Double(tokens) && cost.passes.cost == Double(3 * tokens))
        #expect(cost.passes.scatters == 4)
    }

    @Test("a step costs (2T + 3)/3 on labels, (2T + 6)/3 with a divergence and K with FreeLB, exactly")
    func ratios() throws {
        let plain = try cost(nil)
        var cases: [(AdversarialSettings, thirds: Int, weightPasses: Int)] = []
        for T in 0...3 {
            let noise = try NoiseSettings(ascentSteps: T)
            cases.append((try .scala(noise: noise, delay: 0), 2 * T + 3, 1))
            cases.append((try .scalaCleanKL(noise: noise, delay: 0), 2 * T + 6, 2))
            cases.append((try .freeLB(noise: noise), 3 * (T + 1), T + 1))
        }
        cases.append((try .smart(noise: NoiseSettings()), 8, 2))
        cases.append((try .r3f(), 6, 2))
        for (settings, thirds, weightPasses) in cases {
            let cost = try cost(settings)
            #expect(3 * cost.counts.linear == thirds * plain.counts.linear, "\(settings)")
            #expect(cost.counts.weightGradient == weightPasses * plain.counts.weightGradient, "\(settings)")
            #expect(3 * cost.passes.cost == Double(thirds) * plain.passes.cost)
            #expect(cost.passes.scatters == weightPasses * plain.passes.scatters)
        }
    }

    @Test("an ascent does no product for a weight's gradient, at either place", arguments: NoisePlace.allCases)
    func ascent(place: NoisePlace) throws {
        let none = try cost(.scala(noise: NoiseSettings(place: place, ascentSteps: 0), delay: 0))
        let two = try cost(.scala(noise: NoiseSettings(place: place, ascentSteps: 2), delay: 0))
        let ascents = two.counts - none.counts, passes = two.passes - none.passes
        #expect(ascents.weightGradient == 0 && passes.weightGradientTokens == 0 && passes.scatters == 0)
        #expect(ascents.forward == 2 * none.counts.forward && ascents.inputGradient == 2 * none.counts.inputGradient)
        #expect(ascents.attentionForward == 2 * none.counts.attentionForward)
        #expect(ascents.attentionGradient == 2 * none.counts.attentionGradient)
    }

    @Test("only the examples with noise climb")
    func share() throws {
        let golden = try Golden("classes", in: "adversarial"), source = NoiseSource(seed: 5, step: 3), rows = AdversarialPassTests.rows
        let tokens = (0..<64).reduce(0) { sum, b in
            sum + (source.perturbs(example: Int32(b), share: 0.25) ? golden.ids[rows[b]].count : 0)
        }
        #expect(tokens > 0)
        let noise = try NoiseSettings(share: 0.25), plain = try cost(nil)
        let label = try cost(.scala(noise: noise, delay: 0)), divergence = try cost(.scalaCleanKL(noise: noise, delay: 0))
        #expect((label.passes - plain.passes).cost == Double(2 * tokens))
        #expect((divergence.passes - plain.passes).cost == Double(5 * tokens))
    }
}
