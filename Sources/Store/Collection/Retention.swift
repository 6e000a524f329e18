/// What a collection keeps besides what has a name: `STORE/retention.json`, or these defaults.
public struct Retention: Hashable, Sendable {
    /// Earlier entries of each name whose artifacts stay.
    public var history = 2
    /// Whether the inputs of what is kept are kept too, up to the sources.
    public var keepsLineage = true
    /// Checkpoints of a kept run that stay, newest first, besides the resume point of an unfinished one.
    public var lastCheckpoints = 0
    /// Whether the checkpoint with the best metric of a kept run stays.
    public var keepsBest = false
    /// Of all the rest the newest artifacts stay, as long as they fit into so many stored bytes.
    public var spareBytes = 0

    public init() {}
}

extension Retention {
    var json: JSONValue {
        [
            "history": .integer(Int64(history)), "lineage": .bool(keepsLineage), "last": .integer(Int64(lastCheckpoints)),
            "best": .bool(keepsBest), "bytes": .integer(Int64(spareBytes)), "version": 1,
        ]
    }

    func fileContents() throws -> [UInt8] {
        guard var members = json.objectValue else { preconditionFailure("a retention is an object") }
        members["checksum"] = .string(Digest(of: try json.canonicalBytes()).description)
        return try JSONValue.object(members).canonicalBytes() + [0x0a]
    }

    /// Reads the file; anything that this code would not have written is damage.
    init(contents: [UInt8], path: String) throws {
        func fault(_ found: String) -> StoreError {
            StoreError(
                .damaged, operation: "read the retention", path: path, expected: "a retention with a true checksum", found: found,
                advice: "set it again with 'pipeline store retention --reset', or remove the file")
        }
        guard let json = try? JSONValue(parsing: contents) else { throw fault("other text") }
        if let version = json["version"]?.integerValue, version > 1 {
            throw StoreError(
                .newerFormat, operation: "read the retention", path: path, expected: "version 1", found: "\(version)",
                advice: "use a newer version of this tool")
        }
        func count(_ key: String) throws -> Int {
            guard let value = json[key]?.integerValue, value >= 0, let count = Int(exactly: value) else {
                throw fault("no count '\(key)'")
            }
            return count
        }
        guard let lineage = json["lineage"]?.boolValue, let best = json["best"]?.boolValue else { throw fault("other members") }
        (history, lastCheckpoints, spareBytes) = (try count("history"), try count("last"), try count("bytes"))
        (keepsLineage, keepsBest) = (lineage, best)
        guard try fileContents() == contents else { throw fault("a changed byte") }
    }
}

extension Store {
    /// The retention on record, or the defaults.
    ///
    /// - Throws: `StoreError` with code `damaged` or `newerFormat`: guessing could remove what was meant to stay.
    public func retention() throws -> Retention {
        guard let contents = try files.contents(of: layout.retention, limit: 4096) else { return Retention() }
        return try Retention(contents: contents, path: layout.retention)
    }

    /// Records what later collections keep.
    public func setRetention(_ retention: Retention) throws {
        precondition(
            min(retention.history, retention.lastCheckpoints, retention.spareBytes) >= 0, "a retention of counts")
        let path = try writingSession().newPath()
        do {
            try files.write(try retention.fileContents(), toNew: path)
            try files.rename(path, to: layout.retention)
        } catch {
            try? files.remove(path)
            throw error
        }
        try files.syncDirectory(layout.root)
    }
}
