/// F1 over the decisions about all labels together.
public struct MicroF1: Metric {
    public let name = "micro_f1"
    public let definition =
        "2·TP / (2·TP + FP + FN) with the counts of all labels added up; 0 when nothing is predicted and "
        + "nothing is true"

    public init() {}

    public func value(_ outcome: Outcome) -> Double? {
        guard outcome.count > 0, let confusions = outcome.confusions() else { return nil }
        var total = Confusion()
        for confusion in confusions {
            total.truePositives += confusion.truePositives
            total.falsePositives += confusion.falsePositives
            total.falseNegatives += confusion.falseNegatives
        }
        return total.f1
    }
}
