import Pipeline

/// Metrics, and what exactly they are.
struct MetricsTable {
    /// Definitions are wrapped to this many columns.
    private static let width = 96

    private let metrics: [NamedValue]
    private let split: String

    init(_ metrics: [NamedValue], split: String) { (self.metrics, self.split) = (metrics, split) }

    /// Whole lines, one a metric.
    var text: String {
        var table = TextTable([.left, .right])
        for metric in metrics { table.add("\(split) \(metric.name)", NumberText.metric(metric.value)) }
        return table.text
    }

    /// Whole lines: the definition of each metric.
    var definitions: String {
        metrics.map { metric in
            let words = (MetricCatalogue.metric(named: metric.name)?.definition ?? "").split(separator: " ")
            var lines = [Substring("  \(metric.name):")]
            for word in words {
                if lines[lines.count - 1].count + 1 + word.count > Self.width { lines.append("   ") }
                lines[lines.count - 1] += " " + word
            }
            return lines.joined(separator: "\n") + "\n"
        }.joined()
    }
}
