import Models
import Tensors

/// Tokens a second of training steps and of inference against the sequences' length, and of training steps against the batch's size.
public struct LengthBenchmark: Sendable {
    public var shape: BenchmarkShape
    /// Of each sequence, in tokens, at about `tokens` a batch.
    public var lengths = [8, 16, 32, 64, 128, 256, 512]
    public var tokens = 4096
    /// Of a batch, in tokens, in sequences of `batchLength`.
    public var batches = [512, 1024, 2048, 4096, 8192, 16384]
    public static let batchLength = 32
    public var steps = 3
    public var threads: Int
    public var precision = Precision.fastest

    public init(_ shape: BenchmarkShape, threads: Int) {
        self.shape = shape
        self.threads = threads
    }

    public struct Point: Sendable {
        /// Sequences, and tokens in each.
        public let batch: Int, length: Int
        /// Of a step, the median.
        public let trainingSeconds: Double
        /// Of the logits of the whole batch, the median; nil where only training was timed.
        public let inferenceSeconds: Double?

        public var tokens: Int { batch * length }
    }

    public struct Result: Sendable {
        public let lengths: [Point], batches: [Point]
        public let numericPath: String
    }

    public func run() throws -> Result {
        precondition(steps >= 1 && (lengths + batches).allSatisfy { $0 >= 1 } && lengths.allSatisfy { $0 <= 512 })
        let model = BenchmarkModel(shape), backend = CPUBackend(threads: threads, precision: precision)
        // As in `adapt` and `eval`.
        let trainer = try BenchmarkTrainer(model, dropout: 0.1, backend: backend, tokens: 2048, sequences: 1024)
        let network = SequenceModel(model.configuration, model.head, backend: backend, tokenCapacity: 4096, sequenceCapacity: 1024,
                                    trains: false)
        let evaluator = Evaluator(model: network)
        func data(_ tokens: Int, _ length: Int) -> TokenSplit {
            .random(sequences: max(1, tokens / length), length: length, model)
        }
        let byLength = try lengths.map { length in
            let data = data(tokens, length), training = try trainer.run(steps, on: data), clock = ContinuousClock()
            var seconds: [Double] = []
            for turn in 0...steps {
                let started = clock.now
                _ = try evaluator.logits(data, trainer.weights, isCancelled: { false })
                if turn > 0 { seconds.append(Trainer.seconds(clock.now - started)) }
            }
            return Point(batch: data.count, length: length, trainingSeconds: median(training.seconds), inferenceSeconds: median(seconds))
        }
        let byBatch = try batches.map { tokens in
            let data = data(tokens, Self.batchLength)
            return Point(batch: data.count, length: Self.batchLength, trainingSeconds: median(try trainer.run(steps, on: data).seconds),
                         inferenceSeconds: nil)
        }
        return Result(lengths: byLength, batches: byBatch, numericPath: backend.numericPath)
    }
}
