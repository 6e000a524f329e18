import Foundation
import Models
import Optimizers
@testable import Tensors
import Testing

@testable import Pipeline

@Suite struct BatchObjectiveTests {
    private static let dropout = DropoutRates(hidden: 0.1, attention: 0.1, classifier: 0.1, seed: 5, step: 0)

    /// The tiny model with a new head on a toy task, and the objective over it.
    private struct Bench {
        let data: TokenSplit
        let model: SequenceModel<CPUBackend>
        let weights: Parameters
        let objective: BatchObjective

        init(
            _ task: ToyTask = ToyTask(), tokens: Int = 4096, threads: Int = 1, classWeights: [Float]? = nil, dropout: DropoutRates? = nil,
            frozen: Set<ParameterUnit> = [], adversarial: AdversarialSettings? = nil, keptTokens: Int? = nil,
            precision: Precision = .fp32, set: CPUBackend.InstructionSet = .best, comparesLosses: Bool = false
        ) throws {
            let toy = try ToyStore.ready(task)
            let stored = try StoredModel.find("tiny", in: toy.store)
            let dataset = try PreparedDataset.find("toy", in: toy.store)
            data = try dataset.load(split: "train", from: toy.store)
            model = SequenceModel(
                stored.description.configuration, HeadConfiguration(dataset.task), backend: CPUBackend(threads: threads, instructionSet: set, precision: precision),
                tokenCapacity: max(tokens, data.longest), sequenceCapacity: 64, trains: true,
                activationSets: adversarial?.method.activationSets ?? 1, changesPrecision: comparesLosses)
            weights = Parameters(layout: model.layout)
            let missing = try stored.load(into: weights)
            // A head of this size has logits that are far from zero.
            WeightInitialization.fill(weights, names: missing, deviation: 0.5, seed: 3)
            objective = BatchObjective(
                model: model, parameters: weights, data: data, classWeights: classWeights, rates: dropout, frozen: frozen,
                pass: adversarial.map { [model] in AdversarialPass(model, $0, seed: 5, steps: 10, keptTokens: keptTokens) },
                comparesLosses: comparesLosses, isCancelled: { false })
        }

        func gradient(_ examples: [Int], step: Int = 0) throws -> (loss: Double, gradient: Parameters) {
            let gradient = Parameters(layout: model.layout)
            gradient.fill(.nan)
            objective.select(examples[...], step: step)
            return (try objective.lossAndGradient(into: gradient), gradient)
        }

        func logits() throws -> [Float] { try Evaluator(model: model).logits(data, weights, isCancelled: { false }) }
    }

    /// ‖a − b‖ / ‖b‖
    private func distance(_ a: Parameters, _ b: Parameters) -> Double {
        var difference = 0.0, norm = 0.0
        for i in 0..<a.count {
            difference += pow(Double(a.pointer[i]) - Double(b.pointer[i]), 2)
            norm += pow(Double(b.pointer[i]), 2)
        }
        return (difference / norm).squareRoot()
    }

    @Test(arguments: [OwnDataOptions.Kind.classification, .multilabel, .regression])
    func `many micro-batches are one batch, dropout included`(_ kind: OwnDataOptions.Kind) throws {
        let task = ToyTask(kind: kind), examples = Array(0..<16)
        let whole = try Bench(task, dropout: Self.dropout).gradient(examples, step: 4)
        for tokens in [1, 24, 50] {
            let bench = try Bench(task, tokens: tokens, dropout: Self.dropout)
            let cut = try bench.gradient(examples, step: 4)
            #expect(abs(cut.loss - whole.loss) <= 1e-5 * abs(whole.loss))
            #expect(distance(cut.gradient, whole.gradient) <= 1e-5, "micro-batches of \(bench.model.tokenCapacity) tokens")
        }
    }

    @Test(arguments: CPUBackend.InstructionSet.availableForBF16.filter(\.multipliesBF16), [false, true])
    func `what is kept of weights while they are fixed changes no bit and is gone when they change`(
        set: CPUBackend.InstructionSet, hasNoise: Bool
    ) throws {
        let adversarial = hasNoise ? try AdversarialSettings.scala(noise: NoiseSettings(), delay: 0) : nil
        let examples = Array(0..<16)
        func values(_ gradient: Parameters) -> [Float] { Array(UnsafeBufferPointer(start: gradient.pointer, count: gradient.count)) }
        func change(_ weights: Parameters) { for entry in weights.layout.entries { for i in weights[entry].indices { weights[entry][i] *= 1.25 } } }
        let used = try Bench(tokens: 50, adversarial: adversarial, precision: .bf16, set: set)
        let fresh = try Bench(tokens: 50, adversarial: adversarial, precision: .bf16, set: set)
        let before = (try used.gradient(examples), try used.logits())
        #expect(used.model.backend.packedByteCount > 0)
        change(used.weights)
        change(fresh.weights)
        let (one, other) = (try used.gradient(examples), try fresh.gradient(examples))
        let hasSameGradient = values(one.gradient) == values(other.gradient)
        #expect(one.loss == other.loss && hasSameGradient)
        let logits = try used.logits(), hasSameLogits = try logits == fresh.logits(), haveChanged = before.1 != logits
        #expect(hasSameLogits && haveChanged && before.0.loss != one.loss)
        if hasNoise { return }

        // The same micro-batches one by one, with nothing kept.
        let model = fresh.model, sum = Parameters(layout: model.layout)
        let micro = PackedBatch(tokenCapacity: model.tokenCapacity, sequenceCapacity: model.sequenceCapacity,
                                configuration: model.configuration, outputs: model.head.outputs)
        var next = 0
        while next < examples.count {
            micro.removeAll()
            while next < examples.count, micro.fits(length: fresh.data.length(examples[next])) {
                fresh.data.append(examples[next], to: micro, counter: next)
                next += 1
            }
            model.forward(fresh.weights, micro)
            _ = model.loss(normalizer: Double(examples.count))
            model.backward(into: sum)
        }
        let isSame = values(sum) == values(one.gradient)
        #expect(isSame)
    }

    @Test func `where losses are compared they are float32's, and the gradient beside them is not`() throws {
        let examples = Array(0..<16)
        let exact = try Bench(dropout: Self.dropout).gradient(examples)
        let rounded = try Bench(dropout: Self.dropout, precision: .bf16).gradient(examples)
        #expect(rounded.loss != exact.loss)
        let bench = try Bench(dropout: Self.dropout, precision: .bf16, comparesLosses: true)
        let compared = try bench.gradient(examples)
        #expect(compared.loss == exact.loss)
        #expect(try bench.objective.loss() == exact.loss)
        #expect(distance(compared.gradient, rounded.gradient) == 0)
        #expect(distance(compared.gradient, exact.gradient) > 0)
    }

    @Test func `a batch that is cut has the mean over all of it, not the mean of means`() throws {
        let bench = try Bench(tokens: 1), examples = [0, 1, 2, 3, 4]
        let each = try examples.map { try bench.gradient([$0]).loss }
        #expect(Set(each).count == 5)
        let mean = each.reduce(0, +) / 5
        #expect(abs(try bench.gradient(examples).loss - mean) <= 1e-6 * mean)
    }

    @Test func `class weights give PyTorch's weighted mean`() throws {
        let task = ToyTask(labels: ["negative", "positive", "plain"]), weights: [Float] = [0.5, 2, 1.25]
        for tokens in [24, 4096] {
            let bench = try Bench(task, tokens: tokens, classWeights: weights)
            let examples = Array(0..<bench.data.count), logits = try bench.logits()
            let classes = try #require(bench.data.classes).map { Int($0) }
            #expect(Set(classes) == [0, 1, 2])
            // Σ wᵧ·(log Σ exp z − zᵧ) / Σ wᵧ
            var sum = 0.0, norm = 0.0
            for example in examples {
                let z = logits[3 * example..<3 * example + 3].map { Double($0) }, y = classes[example]
                sum += Double(weights[y]) * (log(z.map { exp($0) }.reduce(0, +)) - z[y])
                norm += Double(weights[y])
            }
            #expect(abs(try bench.gradient(examples).loss - sum / norm) <= 1e-6 * sum / norm)
        }
    }

    @Test func `a class of weight 0 leaves no trace in the gradient`() throws {
        let bench = try Bench(classWeights: [0, 1]), classes = try #require(bench.data.classes)
        let all = Array(0..<bench.data.count), positive = all.filter { classes[$0] == 1 }
        let (loss, gradient) = try bench.gradient(all)
        let (expected, reference) = try bench.gradient(positive)
        #expect(abs(loss - expected) <= 1e-6 * expected)
        #expect(distance(gradient, reference) <= 1e-5)
        let negative = try bench.gradient(all.filter { classes[$0] == 0 })
        #expect(negative.loss == 0, "a batch without weight has a loss of 0 and not 0/0")
        #expect(negative.gradient.layout.entries.allSatisfy { negative.gradient[$0].allSatisfy { $0 == 0 } })
    }

    @Test func `the number of threads leaves every bit as it is`() throws {
        let examples = Array(0..<22)
        let reference = try Bench(tokens: 100, dropout: Self.dropout).gradient(examples, step: 2)
        for threads in [2, 3] {
            let other = try Bench(tokens: 100, threads: threads, dropout: Self.dropout).gradient(examples, step: 2)
            #expect(other.loss.bitPattern == reference.loss.bitPattern)
            #expect(
                (0..<other.gradient.count).allSatisfy { other.gradient.pointer[$0].bitPattern == reference.gradient.pointer[$0].bitPattern }
            )
        }
    }

    @Test func `dropout is a function of the step`() throws {
        let bench = try Bench(dropout: Self.dropout), examples = [4, 1, 7]
        let first = try bench.gradient(examples, step: 1).loss
        #expect(try bench.gradient(examples, step: 2).loss != first)
        #expect(try bench.gradient(examples, step: 1).loss == first)
        bench.objective.select(examples[...], step: 1)
        #expect(try bench.objective.loss() == first, "a forward pass alone sees the same masks")
    }

    @Test func `an adversarial pass takes the place of the plain one from its first step on`() throws {
        let examples = Array(0..<16)
        for objective in ["scala", "freelb", "smart", "r3f"] {
            var values: [String: HyperparameterValue] = ["noise_size": 0.2]
            if objective == "scala" { values["noise_delay"] = 0.5 }
            let settings = try #require(try ObjectiveCatalogue.row(named: objective).resolve(values).settings)
            let plain = try Bench(tokens: 100, dropout: Self.dropout)
            let bench = try Bench(tokens: 100, dropout: Self.dropout, adversarial: settings, keptTokens: 16 * 100)
            let first = objective == "scala" ? 5 : 0
            if first > 0 {
                let (loss, gradient) = try bench.gradient(examples, step: first - 1)
                #expect(loss == (try plain.gradient(examples, step: first - 1).loss) && bench.objective.diagnostics == nil)
                #expect(distance(gradient, try plain.gradient(examples, step: first - 1).gradient) == 0)
            }
            let (loss, gradient) = try bench.gradient(examples, step: first), reference = try plain.gradient(examples, step: first)
            #expect(distance(gradient, reference.gradient) > 1e-5)
            #expect(bench.objective.diagnostics?.perturbedExamples == 16)
            #expect(try bench.objective.loss() == loss, "\(objective): the loss alone is of the same function")
            bench.objective.select(examples[...], step: first + 1)
            #expect(throws: AdversarialError.noNoiseYet(step: first + 1)) { try bench.objective.loss() }
            let cut = try Bench(tokens: 1, dropout: Self.dropout, adversarial: settings)
            let single = try cut.gradient(examples, step: first)
            #expect(abs(single.loss - loss) <= 1e-5 * loss && distance(single.gradient, gradient) <= 1e-5)
            #expect(throws: AdversarialError.noiseNotKept(step: first)) { try cut.objective.loss() }
        }
    }

    @Test func `a search tries steps on the loss at the noise whose gradient was taken`() throws {
        let settings = try AdversarialSettings.scala(noise: NoiseSettings(), delay: 0), examples = Array(0..<16)
        func bench(_ adversarial: AdversarialSettings?) throws -> Bench {
            try Bench(tokens: 100, dropout: Self.dropout, adversarial: adversarial, keptTokens: 16 * 100, comparesLosses: true)
        }
        let searched = try bench(settings), other = try bench(settings), plain = try bench(nil)
        // The noise of the weights before the step, made apart from the search.
        let before = try other.gradient(examples, step: 3).loss
        searched.objective.select(examples[...], step: 3)
        let optimizer = try Catalogue.row(named: "adamsls").resolve([:]).makeOptimizer(layout: searched.model.layout, steps: 10)
        let report = try optimizer.step(searched.objective), trials = try #require(report.trials), decrease = try #require(trials.decrease)
        for bench in [other, plain] { bench.weights.pointer.update(from: searched.weights.pointer, count: searched.weights.count) }
        let after = try other.objective.loss()
        #expect(report.loss == before && decrease == before - after)
        #expect(decrease >= 0.1 * report.learningRate * trials.slope - 1e-6 && report.learningRate > 0 && trials.slope > 0)
        plain.objective.select(examples[...], step: 3)
        #expect(try plain.objective.loss() != after)
    }

    @Test func `frozen units have no gradient`() throws {
        let (_, gradient) = try Bench(frozen: [.embeddings, .block(0)]).gradient([0, 1, 2])
        for entry in gradient.layout.entries {
            let isFrozen = entry.unit == .embeddings || entry.unit == .block(0)
            #expect(gradient[entry].allSatisfy { $0 == 0 } == isFrozen, "\(entry.name)")
        }
    }
}
