import Pipeline
import Store

extension JSONValue {
    /// A number, or null where there is none that JSON can express.
    init(finite value: Double?) {
        self = value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null
    }

    /// An object of metrics by name; null where one is undefined.
    init(metrics: [NamedValue]) {
        self = .object(Dictionary(metrics.map { ($0.name, JSONValue(finite: $0.value)) }) { first, _ in first })
    }
}
