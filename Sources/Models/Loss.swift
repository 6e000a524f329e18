#if canImport(Glibc)
import Glibc
#endif

func hyperbolicTangent<Scalar: BinaryFloatingPoint>(_ x: Scalar) -> Scalar {
    if Scalar.self == Float.self { return Scalar(tanhf(Float(x))) }
    return Scalar(tanh(Double(x)))
}

/// The losses of `transformers`' sequence-classification heads, summed over the sequences of one micro-batch.
///
/// The mean over the whole batch is the sum divided by `normalizer`, which the caller knows: the number of examples
/// (cross-entropy; with class weights the sum of the examples' weights, as in PyTorch) or of values (the other two).
enum LossFunction {
    /// Returns the sum of losses; dLogits [B, K] = ∂(sum / normalizer)/∂logits; `losses` [B] are the summands of each
    /// sequence. Computed in double.
    static func evaluate<Scalar: BinaryFloatingPoint>(
        _ head: HeadConfiguration, sequences: Int, logits: UnsafePointer<Scalar>, classes: UnsafePointer<Int32>,
        values: UnsafePointer<Float>, classWeights: [Float]?, normalizer: Double, dLogits: UnsafeMutablePointer<Scalar>,
        losses: UnsafeMutablePointer<Double>
    ) -> Double {
        let K = head.outputs
        var total = 0.0
        for b in 0..<sequences {
            let row = logits + b * K, d = dLogits + b * K
            var own = 0.0
            func add(_ term: Double) {
                total += term
                own += term
            }
            switch head.loss {
            case .crossEntropy:
                let label = Int(classes[b])
                precondition(label >= 0 && label < K, "class \(label) of \(K)")
                let weight = classWeights.map { Double($0[label]) } ?? 1
                var top = -Double.infinity
                for k in 0..<K { top = max(top, Double(row[k])) }
                var sum = 0.0
                for k in 0..<K { sum += exp(Double(row[k]) - top) }
                let logSum = top + log(sum)
                add(weight * (logSum - Double(row[label])))
                for k in 0..<K {
                    let p = exp(Double(row[k]) - logSum)
                    d[k] = Scalar(weight * (p - (k == label ? 1 : 0)) / normalizer)
                }
            case .binaryCrossEntropy:
                for k in 0..<K {
                    let x = Double(row[k]), y = Double(values[b * K + k])
                    let weight = classWeights.map { Double($0[k]) } ?? 1
                    add(weight * (max(x, 0) - x * y + log1p(exp(-abs(x)))))
                    d[k] = Scalar(weight * (1 / (1 + exp(-x)) - y) / normalizer)
                }
            case .meanSquaredError:
                for k in 0..<K {
                    let difference = Double(row[k]) - Double(values[b * K + k])
                    add(difference * difference)
                    d[k] = Scalar(2 * difference / normalizer)
                }
            }
            losses[b] = own
        }
        return total
    }
}
