/// A task with its examples.
public struct LoadedTask: Sendable {
    public let definition: TaskDefinition
    public let splits: [LoadedSplit]

    /// The split of that name, or nil.
    public func split(_ name: String) -> LoadedSplit? {
        splits.first { $0.name == name }
    }
}

/// The examples of one file.
public struct LoadedSplit: Sendable {
    /// A row that is known to be broken in the published file and was left out.
    public struct Omission: Hashable, Sendable {
        public let line: Int
        public let problem: String
    }

    /// `train`, `dev`, `test`; `dev_matched` and the like for MNLI.
    public let name: String
    public let file: String
    public let examples: [Example]
    /// Whether every example has a label; otherwise none has.
    public let isLabelled: Bool
    /// Rows that were left out. Only QQP's published training and development files have any.
    public let omissions: [Omission]

    /// Number of examples in which a text is empty.
    public var emptyTextCount: Int {
        examples.reduce(0) { $0 + ($1.text.isEmpty || $1.pair?.isEmpty == true ? 1 : 0) }
    }

    /// How many examples each label has, in the order of the labels; an example with several labels counts for each.
    public func labelCounts(_ labelCount: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: labelCount)
        for example in examples {
            switch example.label {
            case .classIndex(let index): counts[index] += 1
            case .labelSet(let set): for index in set { counts[index] += 1 }
            case .value, nil: break
            }
        }
        return counts
    }
}
