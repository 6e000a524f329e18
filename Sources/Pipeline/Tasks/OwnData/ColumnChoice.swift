/// Which columns of the user's data hold the texts and the label.
struct ColumnChoice: Equatable {
    let text: String
    let pair: String?
    /// nil when the file has no such column.
    let label: String?

    static let singles = ["text", "sentence"]
    static let pairs = [
        ("sentence1", "sentence2"), ("text_a", "text_b"), ("text1", "text2"), ("premise", "hypothesis"),
        ("question1", "question2"), ("question", "sentence"),
    ]

    static func labelNames(_ kind: OwnDataOptions.Kind) -> [String] {
        switch kind {
        case .classification: ["label"]
        case .multilabel: ["labels", "label"]
        case .regression: ["score", "label"]
        }
    }

    /// Finds the columns by the options and by the names that such columns usually have.
    ///
    /// - Throws: `missingColumn`, `ambiguousColumn`, `pairMismatch`, each naming the columns that are there.
    init(_ columns: [String], _ options: OwnDataOptions, file: String) throws {
        let there = columns.joined(separator: ", ")
        func find(_ name: String) throws -> String {
            guard columns.contains(name) else {
                throw FormatError(
                    .missingColumn, file: file, line: 1, column: name, "there is no such column", found: there)
            }
            return name
        }
        if let column = options.labelColumn {
            label = columns.contains(column) ? column : nil
        } else {
            let found = Self.labelNames(options.kind).filter(columns.contains)
            guard found.count <= 1 else {
                throw FormatError(
                    .ambiguousColumn, file: file, line: 1, "several columns could be the label",
                    found: found.joined(separator: ", "), advice: "Name the one to use.")
            }
            label = found.first
        }
        if let column = options.textColumn {
            text = try find(column)
            pair = try options.pairColumn.map(find)
        } else {
            guard options.pairColumn == nil else {
                throw FormatError(
                    .missingColumn, file: file, "only the column of the second text is named",
                    advice: "Name that of the first text too.")
            }
            let found = Self.candidates(columns, isPair: options.isPair)
            guard found.count <= 1 else {
                let names = found.map { [$0.0, $0.1].compactMap { $0 }.joined(separator: " and ") }
                throw FormatError(
                    .ambiguousColumn, file: file, line: 1, "several columns could be the text",
                    found: names.joined(separator: "; "), advice: "Name the ones to use.")
            }
            guard let only = found.first else {
                let singles = Self.singles.joined(separator: ", ")
                let pairs = Self.pairs.map { "\($0.0) and \($0.1)" }.joined(separator: ", ")
                throw FormatError(
                    .missingColumn, file: file, line: 1, "no column has a name that says it is the text",
                    expected: options.isPair == true ? pairs : "\(singles); for pairs \(pairs)", found: there,
                    advice: "Name the columns to use (--text-column, --pair-column, --label-column), or rename them in the first line.")
            }
            (text, pair) = only
        }
        if options.isPair == true && pair == nil {
            throw FormatError(
                .pairMismatch, file: file, "the task is about pairs, and only one text column is named",
                advice: "Name the column of the second text too.")
        }
        if options.isPair == false && pair != nil {
            throw FormatError(
                .pairMismatch, file: file, "the task is about single texts, and two text columns are named")
        }
    }

    private static func candidates(_ columns: [String], isPair: Bool?) -> [(String, String?)] {
        var found: [(String, String?)] = []
        for (first, second) in pairs where isPair != false && columns.contains(first) && columns.contains(second) {
            found.append((first, second))
        }
        for name in singles where isPair != true && columns.contains(name) {
            // "sentence" beside "question" is the second half of a pair.
            guard !found.contains(where: { $0.1 == name }) else { continue }
            found.append((name, nil))
        }
        return found
    }
}
