import Pipeline
import Store

/// A dataset's statistics for programs and people.
struct DatasetFacts {
    private let dataset: PreparedDataset

    init(_ dataset: PreparedDataset) { self.dataset = dataset }

    /// Members of a JSON object.
    var members: [String: JSONValue] {
        [
            "task": .string(dataset.task.name), "max_length": .integer(Int64(dataset.maxLength)),
            "labels": .array(dataset.task.labels.map { .string($0) }), "pairs": .bool(dataset.task.isPair),
            "splits": .array(dataset.splits.map(Self.json)),
        ]
    }

    private static func json(_ split: SplitStatistics) -> JSONValue {
        [
            "name": .string(split.name), "examples": .integer(Int64(split.examples)),
            "tokens": .integer(Int64(split.tokens)),
            "labelled": .bool(split.isLabelled), "truncated": .integer(Int64(split.truncated)),
            "longest": .integer(Int64(split.longest)),
            "truncated_share": .number(split.examples == 0 ? 0 : Double(split.truncated) / Double(split.examples)),
            "length_histogram": .array(split.lengthHistogram.map { .integer(Int64($0)) }),
            "label_counts": .array(
                split.labelCounts.map { ["label": .string($0.label), "examples": .integer(Int64($0.examples))] }),
            "empty_texts": .integer(Int64(split.emptyTexts)), "omitted": .integer(Int64(split.omitted)),
        ]
    }

    /// Whole lines: splits, label balance, lengths.
    var text: String {
        let pairs = dataset.task.isPair ? ", pairs" : ""
        var lines = "  task \(dataset.task.name)\(pairs), at most \(dataset.maxLength) tokens\n\n"
        lines += splitTable
        if !dataset.task.labels.isEmpty { lines += "\n" + balanceTable }
        return lines + "\n" + histogram
    }

    private var splitTable: String {
        var table = TextTable([.left, .right, .right, .right, .right, .right])
        table.add("split", "examples", "tokens", "mean", "longest", "truncated")
        for split in dataset.splits {
            table.add(
                split.name, NumberText.count(split.examples), NumberText.count(split.tokens),
                split.examples == 0 ? "" : NumberText.fixed(Double(split.tokens) / Double(split.examples), 1),
                "\(split.longest)",
                NumberText.percent(split.truncated, of: split.examples))
        }
        var notes = ""
        for split in dataset.splits {
            if split.omitted > 0 {
                notes += "  \(split.name): \(split.omitted) rows left out that are broken in the published file\n"
            }
            if split.emptyTexts > 0 { notes += "  \(split.name): \(split.emptyTexts) examples with an empty text\n" }
        }
        return table.text + notes
    }

    /// How many labels are shown; a task may have thousands.
    private static let shownLabels = 20

    private var balanceTable: String {
        let splits = dataset.splits.filter(\.isLabelled)
        guard !splits.isEmpty else { return "  no labels\n" }
        var table = TextTable([.left] + splits.map { _ in .right })
        table.add(["label"] + splits.map(\.name))
        for (index, label) in dataset.task.labels.enumerated().prefix(Self.shownLabels) {
            table.add(
                [FormatError.printable(label, limit: 40)]
                    + splits.map { split in
                        guard index < split.labelCounts.count else { return "" }
                        let count = split.labelCounts[index].examples
                        let share = TextTable.padded(NumberText.percent(count, of: split.examples), to: 7, .right)
                        return "\(NumberText.count(count))  \(share)"
                    })
        }
        let rest = dataset.task.labels.count - Self.shownLabels
        return table.text + (rest > 0 ? "  and \(rest) labels more\n" : "")
    }

    /// Of all splits together: lengths in tokens as bars.
    private var histogram: String {
        let bins = dataset.splits.map(\.lengthHistogram.count).max() ?? 0
        let counts = (0..<bins).map { bin in
            dataset.splits.reduce(0) { $0 + (bin < $1.lengthHistogram.count ? $1.lengthHistogram[bin] : 0) }
        }
        let total = counts.reduce(0, +)
        let most = max(1, counts.max() ?? 1)
        var table = TextTable([.right, .right, .left])
        table.add("tokens", "share", "")
        for (bin, count) in counts.enumerated() where count > 0 {
            let width = (count * 40 + most - 1) / most
            table.add(
                "\(bin * SplitStatistics.histogramBin + 1)–\((bin + 1) * SplitStatistics.histogramBin)",
                NumberText.percent(count, of: total), String(repeating: "▪", count: width))
        }
        return table.text
    }
}
