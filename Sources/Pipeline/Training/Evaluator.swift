import Models
import Tensors

/// Logits of a whole split, and the metrics that follow from them.
final class Evaluator {
    private let model: SequenceModel<CPUBackend>
    private let micro: PackedBatch

    /// - Parameter model: any; a training model is used without its backward pass.
    init(model: SequenceModel<CPUBackend>) {
        self.model = model
        micro = PackedBatch(tokenCapacity: model.tokenCapacity, sequenceCapacity: model.sequenceCapacity,
                            configuration: model.configuration, outputs: model.head.outputs)
    }

    /// Logits [examples, outputs] in the order of the split. An example's logits do not depend on the others.
    ///
    /// - Throws: `PipelineError` with code `unfitInput` where one is no number, since it would count as an answer; `Interrupted`.
    func logits(_ data: TokenSplit, _ parameters: Parameters, isCancelled: () -> Bool,
                progress: (Int) -> Void = { _ in }) throws -> [Float] {
        try model.backend.withFixedParameters(uses: model.passes(tokens: data.ids.count)) {
            try pass(data, parameters, isCancelled: isCancelled, progress: progress)
        }
    }

    private func pass(_ data: TokenSplit, _ parameters: Parameters, isCancelled: () -> Bool, progress: (Int) -> Void) throws -> [Float] {
        let K = model.head.outputs
        var result = [Float](repeating: 0, count: data.count * K)
        // Sequences of like length side by side keep the attention's work even.
        let order = (0..<data.count).sorted { (data.length($0), $0) < (data.length($1), $1) }
        var next = 0
        while next < order.count {
            if isCancelled() { throw Interrupted(step: nil) }
            let first = next
            micro.removeAll()
            while next < order.count, micro.fits(length: data.length(order[next])) {
                data.append(order[next], to: micro, counter: 0)
                next += 1
            }
            let logits = model.forward(parameters, micro)
            for (row, example) in order[first..<next].enumerated() {
                for k in 0..<K {
                    guard logits[row * K + k].isFinite else {
                        throw PipelineError(
                            .unfitInput, "an output of the model is \(logits[row * K + k]), for example \(example + 1) of "
                                + (data.name.isEmpty ? "the input" : "split \(data.name)"),
                            advice: "Its weights are no numbers or far too large: adapt with a smaller learning_rate, or import the model again.")
                    }
                    result[example * K + k] = logits[row * K + k]
                }
            }
            progress(next)
        }
        return result
    }
}
