/// Smallest, middle and largest trust ratio that a step multiplied tensors by.
///
/// Counts the trained tensors that have a ratio: weight matrices and embeddings.
public struct TrustRatios: Hashable, Sendable {
    public let min: Double
    /// Of an even number of tensors the mean of the two in the middle.
    public let median: Double
    public let max: Double

    /// Nil for an empty list.
    init?(_ ratios: [Double]) {
        let sorted = ratios.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        min = first
        median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
        max = last
    }
}
