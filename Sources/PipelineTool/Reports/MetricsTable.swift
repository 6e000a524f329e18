import Pipeline

/// Metrics with what exactly they are.
struct MetricsTable {
    private let metrics: [NamedValue]
    private let split: String

    init(_ metrics: [NamedValue], split: String) { (self.metrics, self.split) = (metrics, split) }

    /// Whole lines.
    var text: String {
        var table = TextTable([.left, .right, .left])
        for metric in metrics {
            table.add("\(split) \(metric.name)", NumberText.metric(metric.value), MetricCatalogue.metric(named: metric.name)?.definition ?? "")
        }
        return table.text
    }
}
