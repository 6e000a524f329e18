import Models
import Optimizers
import Tensors
#if canImport(Glibc)
import Glibc
#endif

/// The mean loss of one optimizer batch, accumulated over micro-batches of at most a token budget.
///
/// The mean is over the whole batch, so the cut into micro-batches changes nothing but rounding.
final class BatchObjective: Objective {
    let parameters: Parameters
    private let model: SequenceModel<CPUBackend>
    private let data: TokenSplit
    private let classWeights: [Float]?
    private let rates: DropoutRates?
    private let frozen: Set<ParameterUnit>
    private let isCancelled: () -> Bool
    private let micro: PackedBatch
    private var examples: ArraySlice<Int> = []
    private var step = 0

    /// - Parameter rates: nil trains without dropout; its step is set by `select`.
    init(model: SequenceModel<CPUBackend>, parameters: Parameters, data: TokenSplit, classWeights: [Float]?,
         rates: DropoutRates?, frozen: Set<ParameterUnit>, isCancelled: @escaping () -> Bool) {
        (self.model, self.parameters, self.data, self.classWeights) = (model, parameters, data, classWeights)
        (self.rates, self.frozen, self.isCancelled) = (rates, frozen, isCancelled)
        micro = PackedBatch(tokenCapacity: model.tokenCapacity, sequenceCapacity: model.sequenceCapacity,
                            configuration: model.configuration, outputs: model.head.outputs)
    }

    /// Moves on to the batch of a 0-based step. Its dropout masks are a function of the step.
    func select(_ examples: ArraySlice<Int>, step: Int) {
        self.examples = examples
        self.step = step
    }

    func loss() throws -> Double { try evaluate(into: nil) }

    func lossAndGradient(into gradient: Parameters) throws -> Double {
        memset(gradient.buffer.pointer, 0, gradient.buffer.byteCount)
        return try evaluate(into: gradient)
    }

    private var normalizer: Double {
        switch model.head.loss {
        case .crossEntropy:
            guard let classWeights, let classes = data.classes else { return Double(examples.count) }
            // As PyTorch: the weighted mean. A batch of weightless examples has no loss rather than no number.
            let sum = examples.reduce(0.0) { $0 + Double(classWeights[Int(classes[$1])]) }
            return sum > 0 ? sum : 1
        case .binaryCrossEntropy, .meanSquaredError: return Double(examples.count * model.head.outputs)
        }
    }

    private func evaluate(into gradient: Parameters?) throws -> Double {
        let normalizer = normalizer
        var rates = rates
        rates?.step = UInt64(step)
        var total = 0.0, next = examples.startIndex
        while next < examples.endIndex {
            if isCancelled() { throw Interrupted(step: step) }
            micro.removeAll()
            while next < examples.endIndex, micro.fits(length: data.length(examples[next])) {
                data.append(examples[next], to: micro, counter: next - examples.startIndex)
                next += 1
            }
            model.forward(parameters, micro, dropout: rates)
            total += model.loss(classWeights: classWeights, normalizer: normalizer)
            if let gradient { model.backward(into: gradient, frozen: frozen) }
        }
        return total / normalizer
    }
}
