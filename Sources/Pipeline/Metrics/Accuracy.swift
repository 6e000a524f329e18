/// The share of examples whose prediction is right.
public struct Accuracy: Metric {
    public let name = "accuracy"
    public let definition =
        "share of examples whose predicted class is the true one; for several labels, whose predicted set is "
        + "exactly the true set"

    public init() {}

    public func value(_ outcome: Outcome) -> Double? {
        guard outcome.count > 0 else { return nil }
        switch outcome {
        case .classes(let predicted, let truth, _):
            precondition(predicted.count == truth.count, "there must be one prediction for each example")
            let right = zip(predicted, truth).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) }
            return Double(right) / Double(truth.count)
        case .labelSets(let predicted, let truth, _):
            precondition(predicted.count == truth.count, "there must be one prediction for each example")
            let right = zip(predicted, truth).reduce(0) { $0 + (Set($1.0) == Set($1.1) ? 1 : 0) }
            return Double(right) / Double(truth.count)
        case .values: return nil
        }
    }
}
