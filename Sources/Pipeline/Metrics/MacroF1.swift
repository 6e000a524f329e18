/// The mean of the F1 of every class.
public struct MacroF1: Metric {
    public let name = "macro_f1"
    public let definition =
        "unweighted mean over classes of 2·TP / (2·TP + FP + FN); classes that are neither predicted nor "
        + "true are left out, "
        + "but for several labels an absent label counts as 0"

    public init() {}

    public func value(_ outcome: Outcome) -> Double? {
        guard outcome.count > 0, var confusions = outcome.confusions() else { return nil }
        if case .classes = outcome { confusions.removeAll(where: \.isAbsent) }
        guard !confusions.isEmpty else { return nil }
        return confusions.reduce(0) { $0 + $1.f1 } / Double(confusions.count)
    }
}
