/// Spearman's rank correlation between predicted and true values.
public struct Spearman: Metric {
    public let name = "spearman"
    public let definition =
        "Pearson's correlation of the ranks of predicted and true values, equal values sharing the mean of "
        + "their ranks; "
        + "undefined when either is constant"

    public init() {}

    public func value(_ outcome: Outcome) -> Double? {
        guard case .values(let predicted, let truth) = outcome, (predicted + truth).allSatisfy(\.isFinite) else {
            return nil
        }
        return Pearson.correlation(Self.ranks(predicted), Self.ranks(truth))
    }

    /// Ranks from 1; equal values have the mean of the ranks that they take up together.
    static func ranks(_ values: [Double]) -> [Double] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var ranks = [Double](repeating: 0, count: values.count)
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count && values[order[end]] == values[order[start]] { end += 1 }
            for index in start..<end { ranks[order[index]] = Double(start + end + 1) / 2 }
            start = end
        }
        return ranks
    }
}
