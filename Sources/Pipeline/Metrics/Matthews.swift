/// Matthews' correlation between predicted and true classes, for any number of classes.
///
/// With s examples, c of them right, and p_k and t_k how often class k is predicted and true:
/// (c·s − Σ p_k·t_k) / √((s² − Σ p_k²)·(s² − Σ t_k²)). Source: Gorodkin 2004; equal to Matthews 1975 for two classes.
public struct Matthews: Metric {
    public let name = "matthews"
    public let definition =
        "correlation of predicted and true class: (TP·TN − FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN)), for "
        + "more classes R_K; "
        + "0 when either is always the same class"

    public init() {}

    public func value(_ outcome: Outcome) -> Double? {
        guard case .classes(let predicted, let truth, let count) = outcome, !truth.isEmpty else { return nil }
        precondition(predicted.count == truth.count, "there must be one prediction for each example")
        var predictedCounts = [Int](repeating: 0, count: count)
        var trueCounts = [Int](repeating: 0, count: count)
        var right = 0
        for (predicted, truth) in zip(predicted, truth) {
            predictedCounts[predicted] += 1
            trueCounts[truth] += 1
            if predicted == truth { right += 1 }
        }
        // Integers are exact here: the square of any number of examples that fits in memory fits in 64 bits.
        let total = truth.count
        let covariance = right * total - zip(predictedCounts, trueCounts).reduce(0) { $0 + $1.0 * $1.1 }
        let predictedSpread = total * total - predictedCounts.reduce(0) { $0 + $1 * $1 }
        let trueSpread = total * total - trueCounts.reduce(0) { $0 + $1 * $1 }
        guard predictedSpread > 0 && trueSpread > 0 else { return 0 }
        return Double(covariance) / (Double(predictedSpread).squareRoot() * Double(trueSpread).squareRoot())
    }
}
