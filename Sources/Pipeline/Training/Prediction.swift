import Foundation

/// What logits mean in a task.
public enum Prediction {
    /// Class, labels or value of each example.
    public static func labels(_ logits: [Float], _ task: TaskDefinition) -> [Example.Label] {
        let K = task.outputCount
        return stride(from: 0, to: logits.count, by: K).map { start in
            let row = logits[start..<start + K]
            switch task.kind {
            case .classification:
                // The first of equals, as argmax does it.
                var best = row.startIndex
                for k in row.indices where row[k] > row[best] { best = k }
                return .classIndex(best - start)
            case .multiLabel: return .labelSet(row.indices.filter { row[$0] > 0 }.map { $0 - start })
            case .regression: return .value(Double(row[start]))
            }
        }
    }

    /// softmax of a classification, sigmoid of each label of a multi-label task; nil for a regression. In double.
    public static func probabilities(_ row: ArraySlice<Float>, _ task: TaskDefinition) -> [Double]? {
        switch task.kind {
        case .classification:
            let top = Double(row.max() ?? 0), e = row.map { exp(Double($0) - top) }, sum = e.reduce(0, +)
            return e.map { $0 / sum }
        case .multiLabel: return row.map { 1 / (1 + exp(-Double($0))) }
        case .regression: return nil
        }
    }

    /// The task's metrics, in its order. The split must be labelled.
    static func metrics(_ logits: [Float], _ data: TokenSplit, _ task: TaskDefinition) -> [NamedValue] {
        let predicted = labels(logits, task), K = task.outputCount
        let outcome: Outcome
        switch task.kind {
        case .classification:
            outcome = .classes(predicted: predicted.map { if case .classIndex(let c) = $0 { c } else { 0 } },
                               truth: (data.classes ?? []).map { Int($0) }, count: K)
        case .multiLabel:
            let values = data.values ?? []
            outcome = .labelSets(predicted: predicted.map { if case .labelSet(let s) = $0 { s } else { [] } },
                                 truth: (0..<data.count).map { b in (0..<K).filter { values[b * K + $0] > 0.5 } }, count: K)
        case .regression:
            outcome = .values(predicted: predicted.map { if case .value(let v) = $0 { v } else { 0 } },
                              truth: (data.values ?? []).map { Double($0) })
        }
        return task.metrics.map { NamedValue($0, MetricCatalogue.metric(named: $0)?.value(outcome)) }
    }
}
