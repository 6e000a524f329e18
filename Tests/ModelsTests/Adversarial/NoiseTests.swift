import Tensors
import Testing

@testable import Models

/// Initial noise, its ball and its steps, and the settings.
struct NoiseTests {
    private func filled(_ initialization: NoiseSettings.Initialization, length: Int, C: Int, example: Int32 = 0,
                        step: UInt64 = 1) -> [Double] {
        var values = [Double](repeating: .nan, count: length * C)
        NoiseSource(seed: 9, step: step).fill(&values, length: length, C: C, example: example, initialization)
        return values
    }

    @Test("initial noise has the size that its name says")
    func sizes() {
        for length in [1, 10, 100] {
            let uniform = filled(.scaledUniform(0.1), length: length, C: 64)
            let size = uniform.reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(abs(size / (0.1 / 3.0.squareRoot()) - 1) <= 0.15, "‖δ‖₂ does not depend on the length: \(size)")
            #expect(uniform.allSatisfy { abs($0) < 0.1 / Double(length * 64).squareRoot() })
        }
        let plain = filled(.uniform(2), length: 50, C: 40), normal = filled(.normal(2), length: 50, C: 40)
        func moments(_ x: [Double]) -> (mean: Double, deviation: Double, fourth: Double) {
            let mean = x.reduce(0, +) / Double(x.count), square = x.reduce(0) { $0 + $1 * $1 } / Double(x.count)
            return (mean, square.squareRoot(), x.reduce(0) { $0 + $1 * $1 * $1 * $1 } / Double(x.count) / (square * square))
        }
        #expect(abs(moments(plain).mean) < 0.1 && abs(moments(plain).deviation - 2 / 3.0.squareRoot()) < 0.05)
        #expect(abs(moments(normal).mean) < 0.15 && abs(moments(normal).deviation - 2) < 0.1)
        #expect(abs(moments(normal).fourth - 3) < 0.5 && abs(moments(plain).fourth - 1.8) < 0.1)
        #expect(filled(.zero, length: 3, C: 4).allSatisfy { $0 == 0 })
    }

    @Test("initial noise is a function of seed, step, example, position and feature")
    func counters() {
        let one = filled(.uniform(1), length: 5, C: 8)
        #expect(filled(.uniform(1), length: 5, C: 8) == one)
        #expect(filled(.uniform(1), length: 3, C: 8) == Array(one.prefix(24)), "the length does not enter")
        let others = [filled(.uniform(1), length: 5, C: 8, example: 1), filled(.uniform(1), length: 5, C: 8, step: 2)]
        for other in others { #expect(zip(one, other).allSatisfy { $0 != $1 }) }
        #expect(Set(one).count == 40)
        var single = [Float](repeating: 0, count: 40)
        NoiseSource(seed: 9, step: 1).fill(&single, length: 5, C: 8, example: 0, .uniform(1))
        #expect(single == one.map { Float($0) })
    }

    private func ball(_ norm: NoiseSettings.Norm, radius: Double = 0.5, step: Double = 0.2) throws -> NoiseBall {
        NoiseBall(try NoiseSettings(norm: norm, stepSize: step, radius: radius), C: 2)
    }

    @Test("a step goes ρ along g/‖g‖ and ends in the ball")
    func ascent() throws {
        var x = [0.1, 0, 0, 0]
        try ball(.l2).ascend(&x, [3, 0, 0, 4], length: 2)
        #expect(zip(x, [0.1 + 0.12, 0, 0, 0.16]).allSatisfy { abs($0 - $1) < 1e-15 })
        try ball(.l2, radius: 0.1).ascend(&x, [1, 0, 0, 0], length: 2)
        #expect(abs(x.reduce(0) { $0 + $1 * $1 }.squareRoot() - 0.1) < 1e-15 && abs(x[3] / x[0] - 0.16 / 0.42) < 1e-15)
        // L∞: each token by its own largest element.
        var y = [0.1, 0, 0, 0.4]
        try ball(.lInfinity).ascend(&y, [-2, 1, 0.5, 0.5], length: 2)
        #expect(zip(y, [-0.1, 0.1, 0.2, 0.5]).allSatisfy { abs($0 - $1) < 1e-15 })
        var free = [10.0, 0]
        try ball(.l2, radius: .infinity).ascend(&free, [0, 1], length: 1)
        #expect(free == [10, 0.2])
    }

    @Test("a gradient of zero or without a finite size moves nothing", arguments: NoiseSettings.Norm.allCases)
    func noDirection(norm: NoiseSettings.Norm) throws {
        for bad in [0, Double.nan, .infinity, -.infinity] {
            var x: [Double] = [0.1, -0.2]
            try ball(norm).ascend(&x, [bad, 0], length: 1)
            #expect(x == [0.1, -0.2], "\(bad)")
        }
        // In L∞ another token still moves.
        var x: [Double] = [0.1, -0.2, 0.1, 0]
        try ball(norm).ascend(&x, [.nan, 1, 0, 1], length: 2)
        #expect(x == (norm == .l2 ? [0.1, -0.2, 0.1, 0] : [0.1, -0.2, 0.1, 0.2]))
    }

    @Test("noise stays in the ball where the ball binds", arguments: NoiseSettings.Norm.allCases, NoisePlace.allCases)
    func binding(norm: NoiseSettings.Norm, place: NoisePlace) throws {
        let radius = norm == .l2 ? 0.05 : 0.005
        let noise = try NoiseSettings(place: place, norm: norm, stepSize: 0.1, radius: radius, ascentSteps: 3)
        let run = try AdversarialPassTests.run(.scala(noise: noise, delay: 0))
        let golden = try Golden("classes", in: "adversarial"), C = golden.configuration.hiddenSize
        var at = 0, sizes: [Double] = []
        for row in AdversarialPassTests.rows {
            let range = at..<at + golden.ids[row].count * C
            let noise = run.noise[range].map { Double($0) }
            sizes.append(norm == .l2 ? noise.reduce(0) { $0 + $1 * $1 }.squareRoot() : noise.reduce(0) { max($0, abs($1)) })
            at = range.upperBound
        }
        #expect(sizes.allSatisfy { $0 <= radius * (1 + 1e-6) } && sizes.contains { $0 >= radius * (1 - 1e-6) })
        let diagnostics = try #require(run.diagnostics)
        #expect(abs(diagnostics.meanNorm - sizes.reduce(0, +) / 64) <= 1e-6 * radius)
        #expect(diagnostics.surfaceShare == Double(sizes.filter { $0 >= radius * (1 - 1e-6) }.count) / 64)
        let wide = try AdversarialPassTests.run(.scala(noise: NoiseSettings(), delay: 0)).diagnostics
        #expect(wide?.surfaceShare == 0, "at the defaults it never binds")
    }

    @Test("diagnostics say what the ascent won, and what was won over the clean loss where that is known")
    func diagnostics() throws {
        let label = try #require(try AdversarialPassTests.run(.scala(noise: NoiseSettings(ascentSteps: 2), delay: 0)).diagnostics)
        let gain = try #require(label.ascentGain)
        #expect(gain > 0 && label.adversarialGap == nil)
        let zero = try #require(try AdversarialPassTests.run(
            .scala(noise: NoiseSettings(initialization: .zero, ascentSteps: 2), delay: 0)).diagnostics)
        let plain = try AdversarialPassTests.plain()
        let at = try AdversarialPassTests.run(.scala(noise: NoiseSettings(initialization: .zero, ascentSteps: 2), delay: 0)).loss
        #expect(abs(zero.adversarialGap! - (at - plain.loss)) <= 1e-9 && zero.adversarialGap == zero.ascentGain)
        let random = try #require(try AdversarialPassTests.run(.scala(noise: NoiseSettings(ascentSteps: 0), delay: 0)).diagnostics)
        #expect(random.ascentGain == nil && random.adversarialGap == nil && random.perturbedExamples == 64)
        let divergence = try #require(try AdversarialPassTests.run(.scalaCleanKL(noise: NoiseSettings(), delay: 0)).diagnostics)
        #expect(divergence.ascentGain != nil && divergence.adversarialGap != nil)
        for group in ["labels", "values"] {
            let settings = try AdversarialSettings.scala(noise: NoiseSettings(initialization: .zero, ascentSteps: 1), delay: 0)
            let bench = try AdversarialPassTests.bench(group: group), pass = AdversarialPass(bench.model, settings, seed: 5, steps: 10)
            let noisy = try bench.evaluate(pass, step: 3).loss, clean = try bench.evaluate(PlainPass(bench.model), step: 3).loss
            #expect(abs(pass.diagnostics!.adversarialGap! - (noisy - clean)) <= 1e-9, "means over the outputs as the loss has them")
        }
    }

    @Test("the divergences' derivatives equal central differences",
          arguments: HeadConfiguration.Loss.allCases, Divergence.allCases)
    func divergence(loss: HeadConfiguration.Loss, divergence: Divergence) {
        var noisy = [0.3, -1.2, 2.0], clean = [0.1, -0.4, 1.1]
        var dNoisy = [0.0, 0, 0], dClean = [0.0, 0, 0], unused = [0.0, 0, 0]
        func value() -> Double {
            divergence.evaluate(loss, K: 3, noisy: noisy, clean: clean, scale: 1, dNoisy: &unused, dClean: nil)
        }
        if divergence == .symmetric {
            _ = divergence.evaluate(loss, K: 3, noisy: noisy, clean: clean, scale: 1, dNoisy: &dNoisy, dClean: &dClean)
        } else {
            _ = divergence.evaluate(loss, K: 3, noisy: noisy, clean: clean, scale: 1, dNoisy: &dNoisy, dClean: nil)
        }
        #expect(value() > 0)
        func slope(_ move: (Double) -> Void) -> Double {
            move(1e-5)
            let above = value()
            move(-2e-5)
            let below = value()
            move(1e-5)
            return (above - below) / 2e-5
        }
        for k in 0..<3 {
            #expect(abs(slope { noisy[k] += $0 } - dNoisy[k]) <= 1e-8)
            if divergence == .symmetric { #expect(abs(slope { clean[k] += $0 } - dClean[k]) <= 1e-8) }
        }
        clean = noisy
        #expect(value() == 0)
        // Logits far apart give finite numbers.
        (noisy, clean) = ([800, -800, 0], [-800, 800, 0])
        #expect(value().isFinite && unused.allSatisfy(\.isFinite))
    }

    @Test("settings that make no sense are refused with what was expected")
    func refusals() throws {
        func refuses(_ name: String, _ body: () throws -> Void) {
            #expect { try body() } throws: { error in
                guard case AdversarialError.invalidSetting(name, _, _) = error else { return false }
                return "\(error)".hasPrefix(name)
            }
        }
        refuses("step size") { _ = try NoiseSettings(stepSize: -1) }
        refuses("step size") { _ = try NoiseSettings(stepSize: .infinity) }
        refuses("radius") { _ = try NoiseSettings(radius: .nan) }
        refuses("ascent steps") { _ = try NoiseSettings(ascentSteps: -1) }
        refuses("share") { _ = try NoiseSettings(share: 1.5) }
        refuses("interval") { _ = try NoiseSettings(interval: 0) }
        refuses("initialization") { _ = try NoiseSettings(initialization: .normal(-1)) }
        refuses("delay") { _ = try AdversarialSettings.scala(noise: NoiseSettings(), delay: 2) }
        refuses("weight") { _ = try AdversarialSettings.smart(noise: NoiseSettings(), weight: .nan) }
        for zero in [NoiseSettings.Initialization.zero, .scaledUniform(0), .normal(0)] {
            #expect(throws: AdversarialError.self) { try AdversarialSettings.scalaCleanKL(noise: NoiseSettings(initialization: zero)) }
        }
        _ = try NoiseSettings(radius: .infinity)
    }
}
