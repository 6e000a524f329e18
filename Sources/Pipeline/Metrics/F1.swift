/// F1 of the positive class of a task with two classes.
public struct F1: Metric {
    public let name = "f1"
    public let definition =
        "2·TP / (2·TP + FP + FN) of class 1, the positive class; 0 when that class is neither predicted nor true"

    public init() {}

    public func value(_ outcome: Outcome) -> Double? {
        guard case .classes(_, _, 2) = outcome, outcome.count > 0 else { return nil }
        return outcome.confusions()?[1].f1
    }
}
