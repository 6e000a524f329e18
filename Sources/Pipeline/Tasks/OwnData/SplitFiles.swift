import Foundation

/// Finds the files of the user's own data: `train`, `dev` and `test` with the extension of a known kind, or with any where the kind is
/// given and no extension says it.
enum SplitFiles {
    /// Names of the splits, and the stems under which people keep them.
    static let stems = [
        ("train", ["train"]), ("dev", ["dev", "validation", "valid", "val"]), ("test", ["test"]),
    ]
    static let extensions: [String: OwnDataOptions.FileKind] = [
        "tsv": .tabSeparated, "csv": .commaSeparated, "jsonl": .jsonLines, "ndjson": .jsonLines,
    ]

    struct Found {
        let split: String
        let url: URL
        let kind: OwnDataOptions.FileKind
    }

    /// - Parameter url: a file, or a folder with a file for each split.
    static func find(_ url: URL, _ options: OwnDataOptions) throws -> [Found] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw FormatError(
                .fileMissing, file: url.path, "there is no such file or folder",
                advice: "Check the path and its spelling.")
        }
        if !isFolder.boolValue {
            let stem = url.deletingPathExtension().lastPathComponent
            let split = stems.first { $0.1.contains(stem) }?.0 ?? options.splitOfLoneFile
            return [Found(split: split, url: url, kind: try kind(of: url, options))]
        }
        var result: [Found] = []
        let files = try FileManager.default.contentsOfDirectory(atPath: url.path).sorted().map { url.appendingPathComponent($0) }.filter {
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: $0.path, isDirectory: &isFolder) && !isFolder.boolValue
        }
        let known = files.filter { extensions[$0.pathExtension.lowercased()] != nil }
        for (split, stems) in stems {
            func named(_ files: [URL]) -> [URL] { files.filter { stems.contains($0.deletingPathExtension().lastPathComponent) } }
            var found = named(known)
            if found.isEmpty, options.fileKind != nil { found = named(files) }
            guard found.count <= 1 else {
                throw FormatError(
                    .ambiguousSplit, file: url.path, "several files could be the \(split) split",
                    found: found.map(\.lastPathComponent).joined(separator: ", "), advice: "Keep one of them.")
            }
            if let file = found.first {
                result.append(Found(split: split, url: file, kind: try kind(of: file, options)))
            }
        }
        guard !result.isEmpty else {
            throw FormatError(
                .noSplits, file: url.path, "the folder has no data files",
                expected: "train, dev and test with the extension tsv, csv or jsonl",
                advice: "Rename the files; --format says what kind they are where the extension does not.")
        }
        return result
    }

    static func kind(of url: URL, _ options: OwnDataOptions) throws -> OwnDataOptions.FileKind {
        if let kind = options.fileKind { return kind }
        guard let kind = extensions[url.pathExtension.lowercased()] else {
            throw FormatError(
                .unknownFileKind, file: url.path, "the extension does not say what kind of file it is",
                expected: extensions.keys.sorted().joined(separator: ", "), found: "\"\(url.pathExtension)\"",
                advice: "Rename the file, or say which kind it is with --format.")
        }
        return kind
    }
}
