import Foundation

/// Reads the user's own data: tab-separated, comma-separated or JSON Lines, with named columns.
public struct OwnDataLoader {
    public let options: OwnDataOptions

    public init(_ options: OwnDataOptions) {
        self.options = options
    }

    /// Reads one file, or a folder with `train`, `dev` and `test` files; the splits that are not there are left out.
    ///
    /// - Throws: `FormatError` with file, line and column.
    public func load(_ url: URL) throws -> LoadedTask {
        try load(SplitFiles.find(url, options))
    }

    /// Reads a file for each split.
    ///
    /// - Parameter files: the files by the name of their split (`train`, `dev`, `test` or another).
    public func load(splits files: [(split: String, url: URL)]) throws -> LoadedTask {
        precondition(Set(files.map(\.split)).count == files.count, "a split is given twice")
        return try load(
            files.map { .init(split: $0.split, url: $0.url, kind: try SplitFiles.kind(of: $0.url, options)) })
    }

    private func load(_ files: [SplitFiles.Found]) throws -> LoadedTask {
        var parts: [(split: String, file: String, choice: ColumnChoice, records: [RawRecord])] = []
        for found in files {
            let source = try Self.open(found)
            let choice = try ColumnChoice(source.columns, options, file: source.file)
            guard choice.label != nil || found.split == "test" else {
                throw FormatError(
                    .missingColumn, file: source.file, line: 1,
                    column: options.labelColumn ?? ColumnChoice.labelNames(options.kind)[0],
                    "the \(found.split) split has no column with labels", found: source.columns.joined(separator: ", "),
                    advice: "Name the column to use, or add it.")
            }
            if let first = parts.first, (first.choice.pair == nil) != (choice.pair == nil) {
                throw FormatError(
                    .pairMismatch, file: source.file, "some splits have pairs of texts and some single texts",
                    expected: first.choice.pair == nil
                        ? "single texts, as in \(first.file)" : "pairs, as in \(first.file)")
            }
            let records = try RawRecordReader(source: source, choice: choice, options: options).readAll()
            parts.append((found.split, source.file, choice, records))
        }
        guard let first = parts.first else { preconditionFailure("no files were given") }
        let kind = try kind(parts.first { $0.split == "train" }?.records, file: first.file)
        let definition = Self.definition(kind, isPair: first.choice.pair != nil)
        let reader = LabelReader(definition)
        let splits = try parts.map { part in
            LoadedSplit(
                name: part.split, file: part.file,
                examples: try part.records.map { record in
                    let place = LabelReader.Place(
                        file: part.file, line: record.line, column: part.choice.label ?? "")
                    return Example(
                        text: record.text, pair: record.pair, label: try Self.label(record.label, reader, place),
                        line: record.line)
                },
                isLabelled: part.choice.label != nil, omissions: [])
        }
        return LoadedTask(definition: definition, splits: splits)
    }

    private static func open(_ found: SplitFiles.Found) throws -> any RecordSource {
        switch found.kind {
        case .tabSeparated: TableSource(try TabSeparated(found.url, hasHeader: true))
        case .commaSeparated: TableSource(try CommaSeparated(found.url, hasHeader: true))
        case .jsonLines: try nonEmpty(JSONLinesSource(found.url))
        }
    }

    private static func nonEmpty(_ source: JSONLinesSource) throws -> JSONLinesSource {
        guard !source.columns.isEmpty else {
            throw FormatError(.noExamples, file: source.file, "the file has no examples, or its first one no fields")
        }
        return source
    }

    private func kind(_ training: [RawRecord]?, file: String) throws -> TaskDefinition.Kind {
        if options.kind == .regression { return .regression(range: nil) }
        guard let labels = options.labels ?? training.map(LabelList.learn) else {
            throw FormatError(
                .missingLabels, file: file, "there is no training split to learn the labels from",
                advice: "Give the list of labels.")
        }
        try LabelList.check(labels, options.kind, file: file)
        return options.kind == .classification ? .classification(labels: labels) : .multiLabel(labels: labels)
    }

    private static func label(
        _ raw: RawRecord.Label?, _ reader: LabelReader, _ place: LabelReader.Place
    ) throws -> Example.Label? {
        switch raw {
        case nil: nil
        case .name(let name): try reader.label(name, at: place)
        case .names(let names): try reader.labelSet(names, at: place)
        case .value(let value): .value(value)
        }
    }

    static func definition(_ kind: TaskDefinition.Kind, isPair: Bool) -> TaskDefinition {
        let name: String
        let metrics: [String]
        switch kind {
        case .classification(let labels):
            name = OwnDataOptions.Kind.classification.rawValue
            metrics =
                labels.count == 2 ? ["accuracy", "f1", "macro_f1", "matthews"] : ["accuracy", "macro_f1", "matthews"]
        case .multiLabel:
            name = OwnDataOptions.Kind.multilabel.rawValue
            metrics = ["micro_f1", "macro_f1", "accuracy"]
        case .regression:
            name = OwnDataOptions.Kind.regression.rawValue
            metrics = ["pearson", "spearman"]
        }
        return TaskDefinition(
            name: isPair ? OwnDataOptions.pairPrefix + name : name, kind: kind, isPair: isPair, metrics: metrics,
            primaryMetric: metrics[0])
    }
}
