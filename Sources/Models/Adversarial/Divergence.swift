#if canImport(Glibc)
import Glibc
#endif

/// How far the outputs with noise are from the clean ones, by the task's loss:
///
/// | loss | KL(a ‖ b) of logits a, b |
/// |---|---|
/// | cross-entropy | Σ pₖ·log(pₖ/qₖ), p = softmax(a), q = softmax(b) |
/// | binary cross-entropy | the same of each of the K Bernoulli variables; averaged over K as the loss is |
/// | squared error | (a − b)², averaged over K |
public enum Divergence: String, Hashable, Sendable, CaseIterable {
    /// KL(clean ‖ noisy)
    case fromClean
    /// KL(noisy ‖ clean) + KL(clean ‖ noisy)
    case symmetric

    /// The divergence of one sequence, summed over K where the loss averages over K. Computed in double.
    ///
    /// - Parameters:
    ///   - scale: factor on both derivatives.
    ///   - dNoisy: [K], overwritten by scale·∂/∂noisy.
    ///   - dClean: [K], scale·∂/∂clean is added; nil holds the clean output constant.
    func evaluate<Scalar: BinaryFloatingPoint>(
        _ loss: HeadConfiguration.Loss, K: Int, noisy: UnsafePointer<Scalar>, clean: UnsafePointer<Scalar>, scale: Double,
        dNoisy: UnsafeMutablePointer<Scalar>, dClean: UnsafeMutablePointer<Scalar>?
    ) -> Double {
        precondition(dClean == nil || self == .symmetric)
        func put(_ k: Int, _ noisy: Double, _ clean: Double) {
            dNoisy[k] = Scalar(scale * noisy)
            if let dClean { dClean[k] = Scalar(Double(dClean[k]) + scale * clean) }
        }
        switch loss {
        case .crossEntropy:
            let noisySum = Self.logSumExp(noisy, K), cleanSum = Self.logSumExp(clean, K)
            func logs(_ k: Int) -> (p: Double, q: Double) { (Double(noisy[k]) - noisySum, Double(clean[k]) - cleanSum) }
            var forward = 0.0, backward = 0.0
            for k in 0..<K {
                let (p, q) = logs(k)
                forward += exp(p) * (p - q)
                backward += exp(q) * (q - p)
            }
            for k in 0..<K {
                let (logP, logQ) = logs(k), p = exp(logP), q = exp(logQ)
                switch self {
                case .fromClean: put(k, p - q, 0)
                case .symmetric: put(k, p * (logP - logQ - forward) + p - q, q * (logQ - logP - backward) + q - p)
                }
            }
            return self == .fromClean ? backward : forward + backward
        case .binaryCrossEntropy:
            var total = 0.0
            for k in 0..<K {
                let a = Double(noisy[k]), b = Double(clean[k]), p = 1 / (1 + exp(-a)), q = 1 / (1 + exp(-b))
                switch self {
                case .fromClean:
                    total += q * (Self.softplus(-a) - Self.softplus(-b)) + (1 - q) * (Self.softplus(a) - Self.softplus(b))
                    put(k, p - q, 0)
                case .symmetric:
                    total += (p - q) * (a - b)
                    put(k, p * (1 - p) * (a - b) + p - q, q * (1 - q) * (b - a) + q - p)
                }
            }
            return total
        case .meanSquaredError:
            let terms = self == .symmetric ? 2.0 : 1
            var total = 0.0
            for k in 0..<K {
                let difference = Double(noisy[k]) - Double(clean[k])
                total += terms * difference * difference
                put(k, 2 * terms * difference, -2 * terms * difference)
            }
            return total
        }
    }

    private static func logSumExp<Scalar: BinaryFloatingPoint>(_ x: UnsafePointer<Scalar>, _ count: Int) -> Double {
        var top = -Double.infinity, sum = 0.0
        for k in 0..<count { top = max(top, Double(x[k])) }
        for k in 0..<count { sum += exp(Double(x[k]) - top) }
        return top + log(sum)
    }

    /// log(1 + eˣ)
    private static func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
}
