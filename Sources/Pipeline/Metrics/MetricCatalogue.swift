/// Every metric by its name. A new one is its file and a line here.
public enum MetricCatalogue {
    public static let all: [any Metric] = [
        Accuracy(), F1(), MacroF1(), MicroF1(), Matthews(), Pearson(), Spearman(),
    ]

    /// The metric of that name, or nil.
    public static func metric(named name: String) -> (any Metric)? {
        all.first { $0.name == name }
    }
}
