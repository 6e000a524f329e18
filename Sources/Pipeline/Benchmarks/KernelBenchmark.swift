import Models
import Tensors

/// Times every kernel that the embeddings and one encoder layer of a shape, not the last, run, forward and backward, on a dense batch.
///
/// The model's own code calls them, in its order and with dropout, so data is as near or far as in training.
public struct KernelBenchmark: Sendable {
    public var shape: BenchmarkShape
    /// In the batch, about: as many whole sequences as go into it.
    public var tokens = 4096
    /// Of each sequence, in tokens, at least 2: of a sequence of one the last layer, which is left out, cannot be told apart.
    public var length = 128
    public var rounds = 7
    public var threads: Int
    public var precision = Precision.fastest

    public init(_ shape: BenchmarkShape, threads: Int) {
        self.shape = shape
        self.threads = threads
    }

    public struct Kernel: Sendable {
        public let name: String
        /// Of a layer, or of the embeddings, in one pass.
        public let calls: Int
        /// Of one call, the median.
        public let seconds: Double
        /// Of one call; nil for kernels that compute no products.
        public let floatingPointOperations: Double?
        /// Read and written by one call at least; nil for products.
        public let bytes: Int?

        /// Floating-point operations, or bytes, a second.
        public var rate: Double { (floatingPointOperations ?? bytes.map { Double($0) } ?? 0) / seconds }
    }

    public struct Result: Sendable {
        public let kernels: [Kernel]
        /// Sequences.
        public let batch: Int
        public let numericPath: String
        /// Floating-point operations a second of the register kernels of products; bytes a second, read and written, of copies.
        /// The better of measuring before the rounds and after them.
        public let productCeiling: Double, copyCeiling: Double

        /// Share of the ceiling that bounds the kernel.
        public func shareOfCeiling(_ kernel: Kernel) -> Double {
            kernel.rate / (kernel.bytes == nil ? productCeiling : copyCeiling)
        }
    }

    public func run() throws -> Result {
        precondition(rounds >= 1 && (2...512).contains(length) && tokens >= length)
        let model = BenchmarkModel(shape, layers: 2), batch = tokens / length
        let base = CPUBackend(threads: threads, precision: precision)
        let backend = MeteredBackend(base, model.configuration, tokens: batch * length)
        let network = SequenceModel(model.configuration, model.head, backend: backend, tokenCapacity: batch * length,
                                    sequenceCapacity: batch, trains: true)
        let weights = try model.weights(network.layout), gradient = Parameters(layout: network.layout)
        let data = TokenSplit.random(sequences: batch, length: length, model)
        let packed = PackedBatch(tokenCapacity: batch * length, sequenceCapacity: batch, configuration: model.configuration,
                                 outputs: model.head.outputs)
        packed.removeAll()
        for example in 0..<batch { data.append(example, to: packed, counter: example) }
        func ceilings() -> (products: Double, copies: Double) { (base.productCeiling(precision), base.copyCeiling()) }
        let before = ceilings()
        var names: [String] = [], calls: [String: [MeteredBackend.Call]] = [:]
        for round in 0...rounds {
            backend.forgetCalls()
            let dropout = DropoutRates(hidden: 0.1, attention: 0.1, classifier: 0.1, seed: 0, step: UInt64(round))
            network.forward(weights, packed, dropout: dropout)
            _ = network.loss(normalizer: Double(batch))
            // As the first pass of a step.
            network.overwritesMatrices = true
            network.backward(into: gradient, frozen: [.head])
            // The first round meets cold memory.
            if round == 0 { continue }
            for call in backend.calls {
                if calls[call.name] == nil { names.append(call.name) }
                calls[call.name, default: []].append(call)
            }
        }
        let kernels = names.map { name in
            let own = calls[name]!, seconds = median(own.map(\.seconds)), count = own.count / rounds
            return switch own[0].work {
            case .products(let multiplyAdds):
                Kernel(name: name, calls: count, seconds: seconds, floatingPointOperations: 2 * Double(multiplyAdds), bytes: nil)
            case .memory(let bytes): Kernel(name: name, calls: count, seconds: seconds, floatingPointOperations: nil, bytes: bytes)
            }
        }
        let after = ceilings()
        return Result(kernels: kernels, batch: batch, numericPath: base.numericPath, productCeiling: max(before.products, after.products),
                      copyCeiling: max(before.copies, after.copies))
    }
}
