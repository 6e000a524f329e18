import Foundation

/// Reads GLUE's official files.
public struct GLUELoader {
    public let task: GLUETask

    /// More broken rows than this share of a file, or than `fewestRefused`, are no longer the known fault of its
    /// publication.
    static let brokenShare = 0.001
    static let fewestRefused = 10

    public init(_ task: GLUETask) {
        self.task = task
    }

    /// Reads every split that is there.
    ///
    /// - Parameter url: the folder that holds all of GLUE, the task's own folder, or one of its files.
    /// - Throws: `FormatError` with file and line; `noSplits` when none of the task's files is there.
    public func load(_ url: URL) throws -> LoadedTask {
        let splits = try find(url).map { split, file in try read(split, file) }
        return LoadedTask(definition: task.definition, splits: splits)
    }

    private func find(_ url: URL) throws -> [(GLUETask.Split, URL)] {
        let names = task.splits.map(\.file).joined(separator: ", ")
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw FormatError(
                .fileMissing, file: url.path, "there is no such file or folder",
                advice: "Check the path and its spelling.")
        }
        if !isFolder.boolValue {
            guard let split = task.splits.first(where: { $0.file == url.lastPathComponent }) else {
                throw FormatError(
                    .noSplits, file: url.path, "the file is none of the task's", expected: names,
                    advice: "Give the task's folder, or read it as your own data with --task classification.")
            }
            return [(split, url)]
        }
        for folder in [url.appendingPathComponent(task.folder), url] {
            let found = task.splits
                .map { ($0, folder.appendingPathComponent($0.file)) }
                .filter { FileManager.default.fileExists(atPath: $0.1.path) }
            if !found.isEmpty { return found }
        }
        throw FormatError(
            .noSplits, file: url.path, "the folder has no file of the task \(task.name)",
            expected: "\(names), there or in \(task.folder)")
    }

    private func read(_ split: GLUETask.Split, _ url: URL) throws -> LoadedSplit {
        let layout = split.layout
        let reader = try TabSeparated(
            url, hasHeader: layout.hasHeader, fieldCount: layout.fieldCount, admitsShortRecords: split.hasBrokenRows)
        let columns = try Columns(layout, reader)
        let labels = LabelReader(task.definition)
        var examples: [Example] = []
        var omissions: [LoadedSplit.Omission] = []
        // Empty lines at the end of the file are no rows.
        var emptyLines: [LoadedSplit.Omission] = []
        let width = layout.fieldCount ?? reader.header.count
        while try reader.advance() {
            if reader.fieldCount < width {
                let omission = LoadedSplit.Omission(
                    line: reader.line, problem: "\(reader.fieldCount) fields instead of \(width)")
                if reader.fieldCount == 1 && reader.withField(0, { $0.isEmpty }) {
                    emptyLines.append(omission)
                } else {
                    omissions += emptyLines + [omission]
                    emptyLines = []
                }
                continue
            }
            omissions += emptyLines
            emptyLines = []
            var example = Example(text: reader.text(columns.text), line: reader.line)
            if let pair = columns.pair { example.pair = reader.text(pair) }
            if let identifier = columns.identifier { example.identifier = reader.text(identifier) }
            if let label = columns.label {
                let place = LabelReader.Place(file: reader.file, line: reader.line, column: columns.labelName)
                example.label = try labels.label(reader.text(label), at: place)
            }
            examples.append(example)
        }
        guard !examples.isEmpty else {
            throw FormatError(.noExamples, file: reader.file, "the file has no examples")
        }
        guard omissions.count <= max(Self.fewestRefused, Int(Double(examples.count) * Self.brokenShare)) else {
            throw FormatError(
                .tooManyMalformedRows, file: reader.file, line: omissions[0].line,
                "\(omissions.count) rows have a wrong number of fields, more than the published file has",
                expected: "\(width) fields", found: omissions[0].problem,
                advice: "The file is damaged or is not the official one.")
        }
        return LoadedSplit(
            name: split.name, file: reader.file, examples: examples, isLabelled: columns.label != nil,
            omissions: omissions)
    }

    /// Positions of the columns of one file.
    private struct Columns {
        let identifier: Int?
        let text: Int
        let pair: Int?
        let label: Int?
        let labelName: String

        init(_ layout: GLUETask.Layout, _ reader: TabSeparated) throws {
            func position(_ column: GLUETask.Column) throws -> Int {
                switch column {
                case .position(let index): return index
                case .named(let name):
                    guard let index = reader.column(name) else {
                        let header = reader.header.joined(separator: ", ")
                        throw FormatError(
                            .missingColumn, file: reader.file, line: 1, column: name,
                            "the header lacks this column", found: header,
                            advice: "Check that this is the task's official file.")
                    }
                    return index
                }
            }
            identifier = try layout.identifier.map(position)
            text = try position(layout.text)
            pair = try layout.pair.map(position)
            label = try layout.label.map(position)
            switch layout.label {
            case .named(let name): labelName = name
            case .position(let index): labelName = "field \(index + 1)"
            case nil: labelName = ""
            }
        }
    }
}
