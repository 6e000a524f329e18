/// The paths of a store.
struct StoreLayout: Sendable {
    let root: String

    static let formatLine = "pipeline-store 1\n"

    var format: String { "\(root)/format" }
    var blobs: String { "\(root)/blobs/sha256" }
    var artifacts: String { "\(root)/artifacts/sha256" }
    var references: String { "\(root)/refs" }
    var staging: String { "\(root)/staging" }
    var locks: String { "\(root)/locks" }
    var index: String { "\(root)/index.sqlite" }
    /// Files that a collection took out of their places and is about to remove.
    var trash: String { "\(root)/trash" }
    /// What a collection keeps besides what is named.
    var retention: String { "\(root)/retention.json" }
    /// How far a verification in portions is.
    var verification: String { "\(root)/verification.json" }
    /// Held shared by writers; to be held exclusively by whoever removes blobs.
    var collectionLock: String { "\(locks)/collection" }
    /// Held shared for the moment in which a writer takes the lock above; held exclusively by a collection that waits for it, so that
    /// new writers do not keep it waiting for ever.
    var gateLock: String { "\(locks)/gate" }
    /// Held by a collection from its beginning to its end.
    var collectorLock: String { "\(locks)/collector" }
    /// Held while a reference is read, compared and replaced.
    var referenceLock: String { "\(locks)/references" }
    /// A lock for each piece of work that somebody is doing, by the key that its result is found by.
    var claims: String { "\(locks)/claims" }
    /// Held shared while the index is being opened, exclusively while it is made anew.
    var indexLock: String { "\(locks)/index" }

    private static let names: Set<String> = [
        "format", "blobs", "artifacts", "refs", "staging", "locks", "index.sqlite", "trash", "retention.json",
        "verification.json",
    ]

    /// Checks the format line; throws `notAStore` or `newerFormat`.
    func check(_ files: any FileSystem) throws {
        func fault(_ code: StoreError.Code, _ found: String, _ advice: String) -> StoreError {
            StoreError(
                code, operation: "open a store", path: root, expected: "the format line 'pipeline-store 1'",
                found: found,
                advice: advice)
        }
        guard let bytes = try files.contents(of: format, limit: 4096) else {
            throw fault(.notAStore, "no file 'format'", "check the path of the store")
        }
        let text = String(decoding: bytes, as: UTF8.self)
        if text == Self.formatLine { return }
        if text.hasPrefix("pipeline-store "), let version = Int(text.dropFirst(15).dropLast()), version > 1 {
            throw fault(.newerFormat, "version \(version)", "use a newer version of this tool")
        }
        throw fault(.notAStore, StoreError.quoted(text), "check the path of the store, or restore the file 'format'")
    }

    /// Makes a new store, or finishes one whose making was cut short; the format line comes last.
    func create(_ files: any FileSystem) throws {
        if try files.contents(of: format, limit: 4096) != nil { return try check(files) }
        let present = try files.list(root) ?? []
        guard Set(present).isSubset(of: Self.names) else {
            throw StoreError(
                .notAStore, operation: "make a store", path: root, expected: "an empty or new folder",
                found: "a folder with other files", advice: "choose another path")
        }
        try makeParents(of: root, files)
        for folder in [
            root, "\(root)/blobs", blobs, "\(root)/artifacts", artifacts, references, staging, locks,
        ] { try files.makeDirectory(folder) }
        for folder in ["\(root)/blobs", "\(root)/artifacts"] { try files.syncDirectory(folder) }
        let session = try StagingSession(staging: staging, files: files)
        let path = try session.newPath()
        try files.write(Array(Self.formatLine.utf8), toNew: path)
        try files.rename(path, to: format)
        try files.syncDirectory(root)
        try files.syncDirectory(Self.parent(of: root))
    }

    private func makeParents(of path: String, _ files: any FileSystem) throws {
        let parent = Self.parent(of: path)
        guard parent != path, try files.status(parent) == nil else { return }
        try makeParents(of: parent, files)
        try files.makeDirectory(parent)
        try files.syncDirectory(Self.parent(of: parent))
    }

    private static func parent(of path: String) -> String {
        let parts = path.split(separator: "/").dropLast()
        return "/" + parts.joined(separator: "/")
    }
}
