/// What is predicted from what, and how well it went is measured: everything about a task but its examples.
///
/// It is stored with a prepared dataset and with the model that was adapted to it.
public struct TaskDefinition: Hashable, Sendable, Codable {
    public enum Kind: Hashable, Sendable, Codable {
        /// One of the labels.
        case classification(labels: [String])
        /// Any number of the labels.
        case multiLabel(labels: [String])
        /// A number; `range` holds all true values where the task fixes it.
        case regression(range: ClosedRange<Double>?)
    }

    /// A GLUE task's short name, or the kind of the user's own task.
    public let name: String
    public let kind: Kind
    public let isPair: Bool
    /// How the labels are written in files, in the order of the labels; where it differs from them.
    public let codes: [String]
    /// Names of the metrics to report, in this order.
    public let metrics: [String]
    /// The one that selects the best model.
    public let primaryMetric: String
    /// The split that models are selected on.
    public let developmentSplit: String

    public init(
        name: String, kind: Kind, isPair: Bool, codes: [String]? = nil, metrics: [String], primaryMetric: String,
        developmentSplit: String = "dev"
    ) {
        self.name = name
        self.kind = kind
        self.isPair = isPair
        self.metrics = metrics
        self.primaryMetric = primaryMetric
        self.developmentSplit = developmentSplit
        switch kind {
        case .classification(let labels), .multiLabel(let labels): self.codes = codes ?? labels
        case .regression: self.codes = []
        }
        precondition(metrics.contains(primaryMetric), "the primary metric of \(name) is not among its metrics")
        precondition(metrics.allSatisfy { MetricCatalogue.metric(named: $0) != nil }, "\(name) has an unknown metric")
        precondition(self.codes.count == self.labels.count, "\(name) has not as many codes as labels")
    }

    /// The label names; none for a regression.
    public var labels: [String] {
        switch kind {
        case .classification(let labels), .multiLabel(let labels): labels
        case .regression: []
        }
    }

    /// Number of the model's outputs: one for each label, one for a regression.
    public var outputCount: Int {
        if case .regression = kind { return 1 }
        return labels.count
    }
}
