import Foundation

/// How to read the user's own data. Everything but the kind is found out from the files unless it is given.
public struct OwnDataOptions: Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case classification, multilabel, regression
    }

    public enum FileKind: String, Hashable, Sendable, CaseIterable {
        case tabSeparated = "tsv"
        case commaSeparated = "csv"
        case jsonLines = "jsonl"
    }

    public var kind: Kind
    /// Whether the task is about pairs; nil to take what the columns are.
    public var isPair: Bool?
    public var textColumn: String?
    public var pairColumn: String?
    public var labelColumn: String?
    /// All labels in their order; nil to learn them from the training split, sorted, see `LabelList.learn`.
    public var labels: [String]?
    /// Between the labels of one example in a table.
    public var labelSeparator = ","
    /// Whether an example may have an empty text.
    public var allowsEmptyText = false
    /// nil to go by each file's extension.
    public var fileKind: FileKind?
    /// The name of the split when the data is a single file whose name says nothing.
    public var splitOfLoneFile = "train"

    public init(kind: Kind) {
        self.kind = kind
    }

    /// The prefix of a task name that asks for pairs.
    public static let pairPrefix = "pair-"

    public static var taskNames: [String] { Kind.allCases.flatMap { [$0.rawValue, pairPrefix + $0.rawValue] } }

    /// The options for `classification`, `multilabel`, `regression`, or one of them with `pair-` in front; nil for
    /// other names.
    public init?(taskName: String) {
        let wantsPair = taskName.hasPrefix(Self.pairPrefix)
        let name = wantsPair ? String(taskName.dropFirst(Self.pairPrefix.count)) : taskName
        guard let kind = Kind(rawValue: name) else { return nil }
        self.init(kind: kind)
        if wantsPair { isPair = true }
    }
}
