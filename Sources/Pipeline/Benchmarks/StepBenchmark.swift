import Foundation
import Models
import Tensors

/// Times the training step that `adapt` runs (dropout, clipping and AdamW included) on one dense batch.
public struct StepBenchmark: Sendable {
    /// What is trained.
    public enum Subject: Sendable {
        /// Random weights.
        case shape(BenchmarkShape)
        /// A Hugging Face model folder. Its `batch.json`, if it is there, is trained on.
        case folder(URL)
    }

    /// Beside the weights of a folder: the batch to train on.
    public static let batchFile = "batch.json"

    public var subject: Subject
    /// Of a random batch: sequences, and tokens in each.
    public var batch = 32, length = 128
    public var steps = 8
    public var threads: Int
    public var microBatchTokens = 2048
    public var precision = Precision.fastest
    /// Rate of all sites, whatever the model's configuration says.
    public var dropout: Float = 0.1

    public init(_ subject: Subject, threads: Int) {
        self.subject = subject
        self.threads = threads
    }

    public struct Result: Sendable {
        /// Sequences and tokens in each.
        public let batch: Int, length: Int
        /// Without the first, which warms up.
        public let stepSeconds: [Double]
        /// Of every step, the first included: the loss before its update.
        public let losses: [Double]
        public let numericPath: String
        /// Over all steps but the first.
        public let phases: PhaseTimes
        /// Over all steps but the first.
        public let products: ProductCounts
        /// Floating-point operations a second of the register kernels of products, measured after the steps.
        public let ceiling: Double

        public var tokensPerStep: Int { batch * length }

        /// Of all products of a step, as they were done.
        public var floatingPointOperations: Double { 2 * Double(products.total) / Double(stepSeconds.count) }

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

        public var medianSeconds: Double { median(stepSeconds) }
    }

    /// - Throws: `FormatError` for a folder that is not sound, `PipelineError` for a length that the model does not take.
    public func run() throws -> Result {
        precondition(steps >= 1 && batch >= 1 && length >= 1)
        let (model, data) = try input()
        let (batch, length) = (data.count, data.longest)
        let tokens = max(min(microBatchTokens, batch * length), length)
        let backend = CPUBackend(threads: threads, precision: precision)
        let trainer = try BenchmarkTrainer(
            model, dropout: dropout, backend: backend, tokens: tokens, sequences: max(1, tokens / length))
        let steps = try trainer.run(steps, on: data)
        return Result(batch: batch, length: length, stepSeconds: steps.seconds, losses: steps.losses,
                      numericPath: backend.numericPath, phases: steps.phases, products: steps.products,
                      ceiling: backend.productCeiling(precision))
    }

    private func input() throws -> (BenchmarkModel, TokenSplit) {
        let model: BenchmarkModel
        switch subject {
        case .shape(let shape): model = BenchmarkModel(shape)
        case .folder(let folder):
            model = try BenchmarkModel(folder: folder)
            let file = folder.appendingPathComponent(Self.batchFile)
            if FileManager.default.fileExists(atPath: file.path) { return (model, try .dense(contentsOf: file, model)) }
        }
        let longest = model.configuration.longestSequence
        guard length <= longest else {
            throw PipelineError(.usage, "the model takes sequences of up to \(longest) tokens, not \(length)",
                                advice: "Give --length from 1 to \(longest).")
        }
        return (model, .random(sequences: batch, length: length, model))
    }
}
