import Foundation
import Models
import Optimizers
import Tensors

/// Times the training step that `adapt` runs (dropout, clipping and AdamW included) on one dense batch and random weights.
public struct StepBenchmark: Sendable {
    /// A model's sizes by name.
    public struct Shape: Sendable {
        public let name: String
        let hidden: Int, layers: Int, heads: Int, intermediate: Int, vocabulary: Int

        /// The shapes that comparisons with other programs use; all as BERT.
        public static let catalogue = [
            Shape(name: "bert-base", hidden: 768, layers: 12, heads: 12, intermediate: 3072, vocabulary: 30522),
            Shape(name: "minilm-l6", hidden: 384, layers: 6, heads: 12, intermediate: 1536, vocabulary: 30522),
            Shape(name: "roberta-large", hidden: 1024, layers: 24, heads: 16, intermediate: 4096, vocabulary: 50265),
        ]
    }

    public var shape: Shape
    public var batch = 32
    public var length = 128
    public var steps = 8
    public var threads: Int
    public var microBatchTokens = 2048
    public var precision = Precision.fastest

    public init(shape: Shape, threads: Int) {
        self.shape = shape
        self.threads = threads
    }

    public struct Result: Sendable {
        /// Without the first, which warms up.
        public let stepSeconds: [Double]
        public let tokensPerStep: Int
        /// 6·(encoder weights)·tokens and the products of attention.
        public let floatingPointOperations: Double
        public let lastLoss: Double
        public let numericPath: String
        /// Over all steps but the first.
        public let phases: PhaseTimes
        /// Over all steps but the first.
        public let products: ProductCounts
        /// Floating-point operations a second of the register kernels of products, measured after the steps.
        public let ceiling: Double

        /// Sum of all phases over the time of the steps.
        public var accountedShare: Double { phases.total / stepSeconds.reduce(0, +) }

        /// Share of the ceiling that a phase of products reached; nil for other phases.
        public func shareOfCeiling(_ phase: Phase) -> Double? {
            let multiplyAdds: Int? = switch phase {
            case .forwardProducts: products.forward
            case .inputGradients: products.inputGradient
            case .weightGradients: products.weightGradient
            case .attention: products.attentionForward
            case .attentionBackward: products.attentionGradient
            default: nil
            }
            return multiplyAdds.flatMap { phases[phase] > 0 ? 2 * Double($0) / phases[phase] / ceiling : nil }
        }

        public var medianSeconds: Double { stepSeconds.sorted()[stepSeconds.count / 2] }
    }

    public func run() throws -> Result {
        precondition(steps >= 1 && batch >= 1 && length >= 1 && length <= 512)
        let c = EncoderConfiguration(
            family: .bert, vocabularySize: shape.vocabulary, hiddenSize: shape.hidden, layerCount: shape.layers, headCount: shape.heads,
            intermediateSize: shape.intermediate, maxPositions: 512, typeVocabularySize: 2, layerNormEpsilon: 1e-12, activation: .gelu,
            hiddenDropout: 0.1, attentionDropout: 0.1, classifierDropout: nil, padID: 0, initializerRange: 0.02)
        let head = HeadConfiguration(outputs: 2, loss: .crossEntropy)
        let backend = CPUBackend(threads: threads, precision: precision)
        let tokens = max(min(microBatchTokens, batch * length), length)
        let network = SequenceModel(c, head, backend: backend, tokenCapacity: tokens, sequenceCapacity: max(1, tokens / length), trains: true)
        let weights = Parameters(layout: network.layout)
        WeightInitialization.fill(weights, names: network.layout.entries.map(\.name), deviation: 0.02, seed: 0)
        let data = randomSplit()
        let objective = BatchObjective(
            model: network, parameters: weights, data: data, classWeights: nil,
            rates: DropoutRates(hidden: 0.1, attention: 0.1, classifier: 0.1, seed: 0, step: 0), frozen: [], isCancelled: { false })
        let recipe = try Catalogue.row(named: "adamw").resolve(["schedule": "constant", "warmup": 0])
        let optimizer = try recipe.makeOptimizer(layout: network.layout, steps: steps + 1) { backend.parallel($0, $1) }
        let clock = ContinuousClock()
        var times: [Double] = [], loss = 0.0
        var phases = PhaseTimes(), products = ProductCounts()
        for step in 0...steps {
            if step == 1 { (phases, products) = (backend.times, backend.counts) }
            let started = clock.now
            objective.select(Array(0..<batch)[...], step: step)
            loss = try optimizer.step(objective).loss
            times.append(Trainer.seconds(clock.now - started))
        }
        let (C, F, n) = (Double(shape.hidden), Double(shape.intermediate), Double(batch * length))
        let layers = Double(shape.layers)
        let operations = 6 * layers * (4 * C * C + 2 * C * F) * n + 3 * layers * 4 * Double(batch) * Double(length * length) * C
        return Result(stepSeconds: Array(times.dropFirst()), tokensPerStep: batch * length, floatingPointOperations: operations,
                      lastLoss: loss, numericPath: backend.numericPath,
                      phases: backend.times - phases, products: backend.counts - products, ceiling: backend.productCeiling(precision))
    }

    private func randomSplit() -> TokenSplit {
        let key = CounterRNG.key(seed: 0, step: 0, site: 3 << 32)
        var split = TokenSplit(name: "random", ids: [], starts: [0], types: [], lines: [])
        for b in 0..<batch {
            for t in 0..<length {
                split.ids.append(Int32(5 + CounterRNG.uniform(key: key, index: b * length + t) * Double(shape.vocabulary - 5)))
            }
            split.starts.append(split.ids.count)
        }
        split.types = [UInt8](repeating: 0, count: split.ids.count)
        split.classes = (0..<batch).map { Int32($0 % 2) }
        return split
    }
}
