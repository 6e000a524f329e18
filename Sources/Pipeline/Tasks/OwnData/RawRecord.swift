/// One record of the user's data before its labels are known.
struct RawRecord {
    enum Label {
        case name(String)
        case names([String])
        case value(Double)
    }

    let text: String
    let pair: String?
    let label: Label?
    let line: Int
}

/// Reads the records of one file and checks each by itself.
struct RawRecordReader {
    let source: any RecordSource
    let choice: ColumnChoice
    let options: OwnDataOptions

    func readAll() throws -> [RawRecord] {
        var records: [RawRecord] = []
        while try source.advance() {
            let text = try text(choice.text)
            let pair = try choice.pair.map(self.text)
            let label = try choice.label.map(label)
            records.append(RawRecord(text: text, pair: pair, label: label, line: source.line))
        }
        guard !records.isEmpty else {
            throw FormatError(.noExamples, file: source.file, "the file has no examples")
        }
        return records
    }

    private func value(_ column: String) throws -> FieldValue {
        guard let value = source.value(column) else {
            throw FormatError(
                .missingColumn, file: source.file, line: source.line, column: column, "the record lacks this field")
        }
        return value
    }

    private func text(_ column: String) throws -> String {
        let text: String
        switch try value(column) {
        case .text(let content), .json(.string(let content)): text = content
        case .json(let other): throw wrongType(column, "a string", other)
        }
        guard options.allowsEmptyText || text.utf8.contains(where: { $0 > 0x20 }) else {
            throw FormatError(
                .emptyText, file: source.file, line: source.line, column: column, "the text is empty",
                advice: "Remove the record, or allow empty texts with --allow-empty-text.")
        }
        return text
    }

    private func label(_ column: String) throws -> RawRecord.Label {
        let value = try value(column)
        let place = LabelReader.Place(file: source.file, line: source.line, column: column)
        switch (options.kind, value) {
        case (.classification, .text(let name)): return .name(try checked(name, place))
        case (.classification, .json(let value)): return .name(try checked(name(of: value, column), place))
        case (.multilabel, .text(let list)): return .names(try names(in: list, place))
        case (.multilabel, .json(.string(let list))): return .names(try names(in: list, place))
        case (.multilabel, .json(.array(let elements))):
            return .names(try elements.map { try checked(name(of: $0, column), place) })
        case (.multilabel, .json(let other)): throw wrongType(column, "an array of labels", other)
        case (.regression, .text(let text)): return .value(try LabelReader.number(text, nil, at: place))
        case (.regression, .json(.number(let number))):
            return .value(try LabelReader.number(number.literal, nil, at: place))
        case (.regression, .json(let other)): throw wrongType(column, "a number", other)
        }
    }

    private func name(of value: JSONTree, _ column: String) throws -> String {
        switch value {
        case .string(let name): return name
        case .number(let number) where number.isInteger: return number.literal
        case .boolean(let flag): return flag ? "true" : "false"
        default: throw wrongType(column, "a string or an integer", value)
        }
    }

    /// The labels of a table's field: a JSON array, or names with the separator between them. An empty field has none.
    private func names(in list: String, _ place: LabelReader.Place) throws -> [String] {
        let bytes = list.utf8
        if bytes.allSatisfy({ $0 == 0x20 }) { return [] }
        if bytes.first == UInt8(ascii: "[") {
            let json = JSONPlace(file: source.file, line: source.line)
            let value = try Array(bytes).withUnsafeBufferPointer { try JSONTree(parsing: $0, at: json) }
            guard case .array(let elements) = value else { throw wrongType(place.column, "an array of labels", value) }
            return try elements.map { try checked(name(of: $0, place.column), place) }
        }
        return try list.split(separator: options.labelSeparator, omittingEmptySubsequences: false).map { part in
            let trimmed = part.drop { $0 == " " }
            let end = trimmed.lastIndex { $0 != " " }.map { trimmed.index(after: $0) } ?? trimmed.startIndex
            return try checked(String(trimmed[..<end]), place)
        }
    }

    /// Refuses labels that nobody means: empty ones, and ones that differ from another by white space that cannot be
    /// seen.
    private func checked(_ name: String, _ place: LabelReader.Place) throws -> String {
        guard let first = name.unicodeScalars.first, let last = name.unicodeScalars.last else {
            throw FormatError(
                .emptyLabel, file: place.file, line: place.line, column: place.column, "the label is empty")
        }
        guard !first.properties.isWhitespace && !last.properties.isWhitespace else {
            throw FormatError(
                .labelWhitespace, file: place.file, line: place.line, column: place.column,
                "the label begins or ends with white space", found: "\"\(name)\"", advice: "Remove the white space.")
        }
        return name
    }

    private func wrongType(_ column: String, _ expected: String, _ found: JSONTree) -> FormatError {
        FormatError(
            .wrongValueType, file: source.file, line: source.line, column: column, "the value is of the wrong kind",
            expected: expected, found: found.kindName)
    }
}
