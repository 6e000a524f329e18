/// Pearson's correlation between predicted and true values.
public struct Pearson: Metric {
    public let name = "pearson"
    public let definition =
        "covariance of predicted and true values over the product of their standard deviations; undefined "
        + "when either is constant"

    public init() {}

    public func value(_ outcome: Outcome) -> Double? {
        guard case .values(let predicted, let truth) = outcome else { return nil }
        return Self.correlation(predicted, truth)
    }

    /// nil for fewer than two values, for a constant series, and where a value is not finite.
    static func correlation(_ x: [Double], _ y: [Double]) -> Double? {
        precondition(x.count == y.count, "there must be one prediction for each example")
        guard x.count >= 2, let x = centred(x), let y = centred(y) else { return nil }
        let product = zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
        return min(1, max(-1, product))
    }

    /// The deviations from the mean, scaled to length one, which keeps extreme values from overflowing.
    private static func centred(_ values: [Double]) -> [Double]? {
        guard let first = values.first, values.allSatisfy(\.isFinite), values.contains(where: { $0 != first }) else {
            return nil
        }
        let mean = values.reduce(0) { $0 + $1 / Double(values.count) }
        let deviations = values.map { $0 - mean }
        let largest = deviations.reduce(0) { max($0, abs($1)) }
        guard largest > 0 && largest.isFinite else { return nil }
        let scaled = deviations.map { $0 / largest }
        let length = scaled.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return scaled.map { $0 / length }
    }
}
