import Models
import Optimizers
import Tensors
#if canImport(Glibc)
import Glibc
#endif

/// The mean of one optimizer batch, accumulated over micro-batches of at most a token budget: of the task's loss, or of what
/// another `TrainingPass` makes of it.
///
/// The mean is over the whole batch, so the cut into micro-batches changes nothing but rounding.
final class BatchObjective: Objective {
    let parameters: Parameters
    private let model: SequenceModel<CPUBackend>
    private let pass: any TrainingPass<CPUBackend>
    private let data: TokenSplit
    private let classWeights: [Float]?
    private let rates: DropoutRates?
    private let frozen: Set<ParameterUnit>
    /// Losses are computed in float32 whatever the precision of the gradient.
    private let comparesLosses: Bool
    private let cleared: ElementRanges
    private let isCancelled: () -> Bool
    private let micro: PackedBatch
    private var examples: ArraySlice<Int> = []
    private var step = 0

    /// - Parameters:
    ///   - rates: nil trains without dropout; its step is set by `select`.
    ///   - pass: what is done with each micro-batch; nil is the plain pass.
    ///   - comparesLosses: every loss is computed in float32. Differences of losses are smaller than bfloat16's rounding; where the
    ///     gradient is in bfloat16, the loss beside it comes from a forward pass of its own.
    ///   - cleared: what to clear in a gradient, nil all; the rest stays as it is, zero. What the model overwrites need not be cleared.
    init(model: SequenceModel<CPUBackend>, parameters: Parameters, data: TokenSplit, classWeights: [Float]?,
         rates: DropoutRates?, frozen: Set<ParameterUnit>, pass: (any TrainingPass<CPUBackend>)? = nil, comparesLosses: Bool = false,
         cleared: ElementRanges? = nil, isCancelled: @escaping () -> Bool) {
        (self.model, self.parameters, self.data, self.classWeights) = (model, parameters, data, classWeights)
        (self.rates, self.frozen, self.comparesLosses, self.isCancelled) = (rates, frozen, comparesLosses, isCancelled)
        self.pass = pass ?? PlainPass(model)
        let overwritten = parameters.layout.entries.filter { model.isOverwritten($0) && !frozen.contains($0.unit) }
        self.cleared = (cleared ?? ElementRanges(allOf: parameters.layout)).subtracting(overwritten.map(\.range))
        micro = PackedBatch(tokenCapacity: model.tokenCapacity, sequenceCapacity: model.sequenceCapacity,
                            configuration: model.configuration, outputs: model.head.outputs)
    }

    /// Moves on to the batch of a 0-based step. Its dropout masks are a function of the step.
    func select(_ examples: ArraySlice<Int>, step: Int) {
        self.examples = examples
        self.step = step
    }

    /// What all passes so far have cost, evaluations included.
    var passes: PassCounts { model.passes }

    /// What the noise of the last gradient's step did; nil when it had none.
    var diagnostics: AdversarialDiagnostics? { pass.diagnostics }

    /// The function whose gradient `lossAndGradient` gives: at the noise that was found there, if the step has any.
    ///
    /// - Throws: `AdversarialError` where that noise was not kept or not found yet.
    func loss() throws -> Double {
        guard comparesLosses else { return try evaluate(into: nil) }
        let precision = model.backend.precision
        model.backend.precision = .fp32
        defer { model.backend.precision = precision }
        return try evaluate(into: nil)
    }

    func lossAndGradient(into gradient: Parameters) throws -> Double {
        let loss = try differentiate(into: gradient)
        return comparesLosses && model.backend.precision != .fp32 ? try self.loss() : loss
    }

    func gradient(into gradient: Parameters) throws { _ = try differentiate(into: gradient) }

    /// Returns the loss as the gradient's precision has it.
    private func differentiate(into gradient: Parameters) throws -> Double {
        cleared.clear(gradient) { model.backend.parallel($0, $1) }
        precondition(!examples.isEmpty, "an empty batch has no gradient")
        model.overwritesMatrices = true
        defer { model.overwritesMatrices = false }
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
        try pass.begin(step: step, differentiates: gradient != nil)
        let tokens = examples.reduce(0) { $0 + data.length($1) }
        return try model.backend.withFixedParameters(uses: Int(pass.forwardPasses * Double(model.passes(tokens: tokens)))) {
            try evaluateBatch(into: gradient)
        }
    }

    private func evaluateBatch(into gradient: Parameters?) throws -> Double {
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
            let part = MicroBatch<CPUBackend>(
                weights: parameters.pointer, owner: parameters, batch: micro, dropout: rates, classWeights: classWeights,
                normalizer: normalizer, exampleCount: examples.count)
            total += withExtendedLifetime(gradient) { pass.evaluate(part, into: gradient?.pointer, frozen: frozen) }
        }
        return total / normalizer
    }
}
