import Tensors
import Testing

@testable import Models

/// What holds for every adversarial objective, on the CPU.
struct AdversarialPassTests {
    static let dropout = DropoutRates(hidden: 0.1, attention: 0.1, classifier: 0.2, seed: 7, step: 3)

    /// One of each method, in noise large enough to matter.
    static let methods: [(name: String, settings: AdversarialSettings)] = try! [
        ("label", .scala(noise: NoiseSettings(ascentSteps: 2), delay: 0)),
        ("label, L∞, normalized", .scala(
            noise: NoiseSettings(place: .normalized, norm: .lInfinity, stepSize: 0.02, radius: 0.05, ascentSteps: 2), delay: 0)),
        ("random noise", .scala(noise: NoiseSettings(ascentSteps: 0), delay: 0)),
        ("clean-kl", .scalaCleanKL(noise: NoiseSettings(), delay: 0)),
        ("freelb", .freeLB(noise: NoiseSettings(ascentSteps: 2))),
        ("smart", .smart(noise: NoiseSettings(initialization: .normal(0.01), norm: .lInfinity, stepSize: 0.03, radius: .infinity))),
        ("r3f", .r3f(initialization: .uniform(0.05))),
    ]
    static let names = methods.map(\.name)

    static func settings(_ name: String, share: Double = 1, interval: Int = 1, delay: Double = 0) throws -> AdversarialSettings {
        let settings = methods.first { $0.name == name }!.settings, n = settings.noise
        let noise = try NoiseSettings(place: n.place, initialization: n.initialization, norm: n.norm, stepSize: n.stepSize,
                                      radius: n.radius, ascentSteps: n.ascentSteps, share: share, interval: interval)
        return try AdversarialSettings(settings.method, noise: noise, delay: delay)
    }

    /// 64 examples: the golden's few over and over.
    static let rows = (0..<64).map { $0 * 3 % 4 }

    static func bench(threads: Int = 1, group: String = "classes") throws -> AdversarialBench<CPUBackend> {
        AdversarialBench(try Golden(group, in: "adversarial"), CPUBackend(threads: threads))
    }

    struct Run: Equatable {
        var loss: Double
        var gradient: [Float]
        /// Of all examples in order.
        var noise: [Float] = []
        var diagnostics: AdversarialDiagnostics?
    }

    static func run(_ settings: AdversarialSettings, threads: Int = 1, size: Int = .max, rows: [Int] = rows, step: Int = 3,
                    group: String = "classes", dropout: DropoutRates? = dropout, classWeights: [Float]? = nil) throws -> Run {
        let bench = try bench(threads: threads, group: group)
        let pass = AdversarialPass(bench.model, settings, seed: 5, steps: 10)
        var noise: [Float] = []
        let result = try bench.evaluate(pass, rows: rows, size: size, step: step, dropout: dropout, classWeights: classWeights) {
            guard pass.rowCount == $0.sequenceCount else { return }
            noise += (0..<$0.tokenCount * bench.model.configuration.hiddenSize).map { pass.delta[$0] }
        }
        return Run(loss: result.loss, gradient: result.gradient, noise: noise, diagnostics: pass.diagnostics)
    }

    static func plain(size: Int = .max, step: Int = 3, rows: [Int] = rows) throws -> Run {
        let bench = try bench()
        let result = try bench.evaluate(PlainPass(bench.model), rows: rows, size: size, step: step, dropout: dropout)
        return Run(loss: result.loss, gradient: result.gradient)
    }

    @Test("a batch of 64 is the same in any micro-batches", arguments: names)
    func microBatches(name: String) throws {
        let settings = try Self.settings(name), whole = try Self.run(settings)
        #expect(whole.noise.contains { $0 != 0 } && whole.diagnostics?.perturbedExamples == 64)
        for size in [1, 7, 32] {
            let cut = try Self.run(settings, size: size)
            #expect(cut.noise == whole.noise, "the noise has the same bits")
            #expect(abs(cut.loss - whole.loss) <= 1e-6 * whole.loss)
            #expect(distance(cut.gradient, whole.gradient) <= 1e-5)
        }
        let part = try Self.settings(name, share: 0.4), wholePart = try Self.run(part)
        for size in [1, 7] {
            let cut = try Self.run(part, size: size)
            #expect(distance(cut.gradient, wholePart.gradient) <= 1e-5)
            #expect(cut.diagnostics?.perturbedExamples == wholePart.diagnostics?.perturbedExamples)
        }
    }

    @Test("a batch of 1,024 is 32 micro-batches of 32", arguments: names)
    func largeBatch(name: String) throws {
        let settings = try Self.settings(name), rows = (0..<1024).map { $0 * 3 % 4 }
        func run(_ size: Int) throws -> AdversarialBench<CPUBackend>.Result {
            let bench = AdversarialBench(
                try Golden("classes", in: "adversarial"), CPUBackend(threads: 2), tokens: 16_384, sequences: 1024)
            let pass = AdversarialPass(bench.model, settings, seed: 5, steps: 10)
            return try bench.evaluate(pass, rows: rows, size: size, step: 3, dropout: Self.dropout)
        }
        let whole = try run(1024), cut = try run(32)
        #expect(whole.gradient != cut.gradient, "sums in another order")
        #expect(abs(cut.loss - whole.loss) <= 1e-5 * whole.loss)
        #expect(distance(cut.gradient, whole.gradient) <= 1e-5)
    }

    @Test("the number of threads changes no bit", arguments: names)
    func threads(name: String) throws {
        let one = try Self.run(Self.settings(name, share: 0.6), threads: 1, size: 20)
        for threads in [2, 3] { #expect(try Self.run(Self.settings(name, share: 0.6), threads: threads, size: 20) == one) }
    }

    @Test("a step without noise has the bits of a plain step")
    func plainSteps() throws {
        let plain = try Self.plain(size: 10)
        let off = try [
            ("no share", AdversarialSettings.scala(noise: NoiseSettings(share: 0), delay: 0)),
            ("t_s = 1", .scala(noise: NoiseSettings(), delay: 1)),
            ("before t_s", .scala(noise: NoiseSettings(), delay: 0.5)),
            ("ω = 0", .scala(noise: NoiseSettings(radius: 0), delay: 0)),
            ("ω = 0, clean-kl", .scalaCleanKL(noise: NoiseSettings(radius: 0), delay: 0)),
            ("T = 0 at zero", .scala(noise: NoiseSettings(initialization: .zero, ascentSteps: 0), delay: 0)),
            ("λ = 0", .scalaCleanKL(noise: NoiseSettings(), weight: 0, delay: 0)),
            ("not the n-th", .freeLB(noise: NoiseSettings(interval: 2))),
        ]
        for (name, settings) in off {
            let run = try Self.run(settings, size: 10)
            #expect(run.loss.bitPattern == plain.loss.bitPattern, "\(name)")
            let isSame = run.gradient.elementsEqual(plain.gradient) { $0.bitPattern == $1.bitPattern }
            #expect(isSame, "\(name)")
            #expect(run.diagnostics == nil, "\(name)")
        }
        for name in Self.names { #expect(distance(try Self.run(Self.settings(name), size: 10).gradient, plain.gradient) > 1e-5, "\(name)") }
        // A batch in which chance gives no example noise.
        let nobody = try Self.run(.scala(noise: NoiseSettings(share: 1e-9), delay: 0), size: 10)
        #expect(nobody.gradient == plain.gradient && nobody.diagnostics?.perturbedExamples == 0)
    }

    @Test("noise begins at t_s and comes every n-th step")
    func schedule() throws {
        func active(_ settings: AdversarialSettings, of steps: Int) -> [Int] {
            (0..<steps).filter { settings.isActive(step: $0, of: steps) }
        }
        #expect(try active(.scala(noise: NoiseSettings()), of: 7) == [4, 5, 6])
        #expect(try active(.scala(noise: NoiseSettings(interval: 3), delay: 0.3), of: 10) == [3, 6, 9])
        #expect(try active(.scala(noise: NoiseSettings(), delay: 0.1), of: 30).first == 3)
        #expect(try active(.scala(noise: NoiseSettings(), delay: 1), of: 9).isEmpty)
        #expect(try active(.freeLB(noise: NoiseSettings(interval: 4)), of: 9) == [0, 4, 8])
    }

    @Test("a share of the examples keeps its noise, the others have none", arguments: names)
    func share(name: String) throws {
        let source = NoiseSource(seed: 5, step: 3)
        let chosen = (0..<64).filter { source.perturbs(example: Int32($0), share: 0.4) }
        #expect((16...36).contains(chosen.count))
        #expect((0..<64).filter { source.perturbs(example: Int32($0), share: 0.7) }.count > chosen.count)
        #expect(chosen != (0..<64).filter { NoiseSource(seed: 5, step: 4).perturbs(example: Int32($0), share: 0.4) })
        let whole = try Self.run(Self.settings(name)), part = try Self.run(Self.settings(name, share: 0.4), size: 11)
        #expect(part.diagnostics?.perturbedExamples == chosen.count)
        // Every example is a part of the mean: those with noise as in a batch where all have it, the others as in a plain one.
        let bench = try Self.bench(), plain = try Self.plain()
        let noisy = AdversarialPass(bench.model, try Self.settings(name), seed: 5, steps: 10)
        var expected = [Double](repeating: 0, count: bench.model.layout.count)
        for b in 0..<64 {
            let own = try Self.example(b, bench, chosen.contains(b) ? noisy : nil)
            for i in expected.indices { expected[i] += Double(own[i]) / 64 }
        }
        #expect(distance(part.gradient, expected) <= 2e-5)
        #expect(distance(part.gradient, whole.gradient) > 1e-4 && distance(part.gradient, plain.gradient) > 1e-5)
    }

    /// The gradient of one example alone, at its place in the batch.
    private static func example(_ b: Int, _ bench: AdversarialBench<CPUBackend>, _ pass: AdversarialPass<CPUBackend>?) throws -> [Float] {
        let golden = bench.golden, batch = golden.batch()
        golden.fill(batch, [rows[b]], firstExample: b)
        let gradient = Parameters(layout: bench.model.layout)
        let micro = MicroBatch<CPUBackend>(weights: bench.weights, owner: bench.owner, batch: batch, dropout: dropout,
                                           classWeights: nil, normalizer: 1, exampleCount: 1)
        if let pass {
            try pass.begin(step: 3, differentiates: true)
            _ = pass.evaluate(micro, into: gradient.pointer, frozen: [])
        } else { _ = PlainPass(bench.model).evaluate(micro, into: gradient.pointer, frozen: []) }
        return Array(UnsafeBufferPointer(start: gradient.pointer, count: gradient.count))
    }

    @Test("ascent and descent see the same dropout masks")
    func masks() throws {
        // An ascent that goes nowhere: the loss at its start and the loss of the descent are of the same function at the same point.
        for share in [1, 0.5] {
            let still = try NoiseSettings(stepSize: 0, ascentSteps: 1, share: share)
            let methods: [AdversarialSettings] = try [
                .scala(noise: still, delay: 0), .scalaCleanKL(noise: still, delay: 0), .freeLB(noise: still),
            ]
            for settings in methods {
                let run = try Self.run(settings, size: 9)
                #expect(run.diagnostics?.ascentGain == 0)
                let moved = try Self.run(settings, size: 9, dropout: nil)
                #expect(moved.loss != run.loss, "dropout is on")
            }
        }
        // With the same masks clean and noisy outputs are the same where the noise is next to nothing.
        let tiny = try Self.run(.r3f(initialization: .uniform(1e-12)))
        #expect(abs(tiny.loss - (try Self.plain().loss)) <= 1e-9 && tiny.diagnostics?.adversarialGap == 0)
    }

    @Test("the loss alone is the loss that came with the gradient, at its noise", arguments: names)
    func lossAlone(name: String) throws {
        let bench = try Self.bench(), tokens = Self.rows.reduce(0) { $0 + bench.golden.ids[$1].count }
        for share in [1, 0.5] {
            let settings = try Self.settings(name, share: share, delay: 0.3)
            let pass = AdversarialPass(bench.model, settings, seed: 5, steps: 10, keptTokens: tokens)
            #expect(throws: AdversarialError.noNoiseYet(step: 3)) {
                try bench.evaluate(pass, rows: Self.rows, size: 9, step: 3, differentiates: false)
            }
            let first = try bench.evaluate(pass, rows: Self.rows, size: 9, step: 3, dropout: Self.dropout)
            let diagnostics = pass.diagnostics
            for _ in 0..<2 {
                let again = try bench.evaluate(pass, rows: Self.rows, size: 9, step: 3, dropout: Self.dropout, differentiates: false)
                #expect(again.loss == first.loss)
            }
            #expect(pass.diagnostics == diagnostics)
            // At other weights it is another loss at the same noise.
            let bias = bench.model.layout["classifier.bias"]!.offset
            let before = bench.weights[bias]
            bench.weights[bias] += 0.5
            let moved = try bench.evaluate(pass, rows: Self.rows, size: 9, step: 3, dropout: Self.dropout, differentiates: false)
            #expect(moved.loss != first.loss)
            bench.weights[bias] = before
            #expect(throws: AdversarialError.noNoiseYet(step: 4)) {
                try bench.evaluate(pass, rows: Self.rows, size: 9, step: 4, differentiates: false)
            }
            // A plain step needs nothing kept.
            let early = try bench.evaluate(pass, rows: Self.rows, size: 9, step: 0, dropout: Self.dropout, differentiates: false)
            #expect(early.loss == (try Self.plain(size: 9).loss))
        }
        let forgetful = AdversarialPass(bench.model, try Self.settings(name), seed: 5, steps: 10)
        _ = try bench.evaluate(forgetful, rows: Self.rows, step: 3)
        #expect(throws: AdversarialError.noiseNotKept(step: 3)) {
            try bench.evaluate(forgetful, rows: Self.rows, step: 3, differentiates: false)
        }
    }

    @Test("an example of weight 0 has no gradient to climb and keeps its first noise")
    func weightless() throws {
        let settings = try Self.settings("label"), random = try Self.settings("random noise")
        let golden = try Golden("classes", in: "adversarial")
        let classes = Self.rows.map { golden.labels[$0] as! Int }
        var weights: [Float] = [1, 1, 1]
        weights[classes[0]] = 0
        let run = try Self.run(settings, classWeights: weights), start = try Self.run(random, classWeights: weights)
        var at = 0
        for (b, row) in Self.rows.enumerated() {
            let range = at..<at + golden.ids[row].count * golden.configuration.hiddenSize
            #expect((run.noise[range] == start.noise[range]) == (classes[b] == classes[0]), "example \(b)")
            at = range.upperBound
        }
    }

    @Test("class weights that are all alike leave the gain and the gap as they are", arguments: ["label", "clean-kl"])
    func weightedGain(name: String) throws {
        let settings = try Self.settings(name), plain = try #require(Self.run(settings).diagnostics)
        let weighted = try #require(Self.run(settings, classWeights: [10, 10, 10]).diagnostics)
        for part in [\AdversarialDiagnostics.ascentGain, \.adversarialGap] {
            guard let one = plain[keyPath: part] else { continue }
            #expect(abs(try #require(weighted[keyPath: part]) - one) <= 1e-3 * abs(one))
        }
        #expect(plain.ascentGain != nil)
    }

    @Test("frozen units get no gradient and the others keep theirs", arguments: names)
    func frozen(name: String) throws {
        let bench = try Self.bench(), pass = AdversarialPass(bench.model, try Self.settings(name), seed: 5, steps: 10)
        let full = try bench.evaluate(pass, rows: Self.rows, step: 3)
        let units: Set<ParameterUnit> = [.embeddings, .block(0)]
        let part = try bench.evaluate(pass, rows: Self.rows, step: 3, frozen: units)
        #expect(part.loss == full.loss)
        for entry in bench.model.layout.entries {
            if units.contains(entry.unit) { #expect(part.gradient[entry.range].allSatisfy { $0 == 0 }) } else {
                #expect(part.gradient[entry.range] == full.gradient[entry.range], "\(entry.name)")
            }
        }
    }
}
