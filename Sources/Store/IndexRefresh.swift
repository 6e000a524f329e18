import Foundation
import GRDB

/// Brings the index up to date with the folders that changed since it last looked.
struct IndexRefresh {
    let layout: StoreLayout
    let files: any FileSystem
    let note: @Sendable (String) -> Void

    /// A folder that changed less than two seconds ago may change again without its time moving (clocks tick
    /// coarsely), so it is
    /// not recorded as read.
    private static let settling: Int64 = 2_000_000_000
    private static let unsettled: Int64 = -1

    private func folders(_ areas: Set<StoreIndex.Area>) throws -> [(area: StoreIndex.Area, path: String, name: String)]
    {
        func children(_ area: StoreIndex.Area, _ root: String) throws -> [(StoreIndex.Area, String, String)] {
            guard areas.contains(area) else { return [] }
            return try (files.list(root) ?? []).sorted().map { (area, "\(root)/\($0)", $0) }
        }
        return try children(.artifacts, layout.artifacts) + children(.references, layout.references)
            + children(.blobs, layout.blobs)
    }

    private func known(_ database: Database) throws -> [String: Int64] {
        let rows = try Row.fetchAll(database, sql: "SELECT path, changed FROM folder")
        return try Self.times(rows)
    }

    /// A damaged index may hold anything: a subscript of a row would end the process where this throws.
    private static func times(_ rows: [Row]) throws -> [String: Int64] {
        let pairs = try rows.map { (try $0.decode(String.self, atIndex: 0), try $0.decode(Int64.self, atIndex: 1)) }
        return Dictionary(pairs) { first, _ in first }
    }

    // Paths in the index are relative, so that a store can be moved.
    private func relative(_ path: String) -> String { String(path.dropFirst(layout.root.count + 1)) }

    private func prefix(_ area: StoreIndex.Area) -> String {
        switch area {
        case .artifacts: relative(layout.artifacts) + "/"
        case .references: relative(layout.references) + "/"
        case .blobs: relative(layout.blobs) + "/"
        }
    }

    func isNeeded(_ database: Database, _ areas: Set<StoreIndex.Area>) throws -> Bool {
        let known = try known(database)
        var present: Set<String> = []
        for folder in try folders(areas) {
            let path = relative(folder.path)
            present.insert(path)
            guard let status = try files.status(folder.path), known[path] == status.changed else { return true }
        }
        return known.keys.contains { path in
            !present.contains(path) && areas.contains { path.hasPrefix(prefix($0)) }
        }
    }

    func run(_ database: Database, _ areas: Set<StoreIndex.Area>) throws {
        var known = try known(database).filter { entry in areas.contains { entry.key.hasPrefix(prefix($0)) } }
        for folder in try folders(areas) {
            let path = relative(folder.path)
            let old = known.removeValue(forKey: path)
            guard let status = try files.status(folder.path), old != status.changed else { continue }
            switch folder.area {
            case .artifacts: try readArtifacts(database, folder.path, folder.name)
            case .references: try readReferences(database, folder.path, folder.name)
            case .blobs: try readBlobs(database, folder.path, folder.name)
            }
            try database.run(
                sql: "INSERT OR REPLACE INTO folder (path, changed) VALUES (?, ?)",
                arguments: [path, settled(status.changed)])
        }
        for path in known.keys {
            let name = String(path.split(separator: "/").last ?? "")
            if path.hasPrefix(prefix(.artifacts)) { try forgetArtifacts(database, name, keeping: []) }
            if path.hasPrefix(prefix(.blobs)) { try forgetBlobs(database, name, keeping: []) }
            if path.hasPrefix(prefix(.references)) {
                try database.run(sql: "DELETE FROM reference WHERE kind = ?", arguments: [name])
                try database.run(sql: "DELETE FROM earlier WHERE kind = ?", arguments: [name])
            }
            try database.run(sql: "DELETE FROM folder WHERE path = ?", arguments: [path])
        }
    }

    private func settled(_ changed: Int64) -> Int64 {
        let now = Int64(Date().timeIntervalSince1970 * 1e9)
        return changed < now - Self.settling ? changed : Self.unsettled
    }

    // MARK: Artifacts

    /// The rows of a folder `ab` are those whose first byte is `ab`.
    private func digests(_ database: Database, _ table: String, _ folder: String) throws -> Set<Digest> {
        guard let first = UInt8(folder, radix: 16) else { return [] }
        let low = Data([first])
        let rows =
            first < 255
            ? try Data.fetchAll(
                database, sql: "SELECT digest FROM \(table) WHERE digest >= ? AND digest < ?",
                arguments: [low, Data([first + 1])])
            : try Data.fetchAll(database, sql: "SELECT digest FROM \(table) WHERE digest >= ?", arguments: [low])
        return Set(rows.compactMap { Digest(rawBytes: $0) })
    }

    private func present(_ path: String, _ folder: String) throws -> Set<Digest> {
        Set(try (files.list(path) ?? []).compactMap { Digest(hex: folder + $0) })
    }

    private func readArtifacts(_ database: Database, _ path: String, _ folder: String) throws {
        let present = try present(path, folder)
        try forgetArtifacts(database, folder, keeping: present)
        let reader = BlobReader(
            storage: LocalBlobStorage(root: layout.artifacts, files: files, session: nil), place: layout.artifacts)
        for digest in try present.subtracting(digests(database, "artifact", folder)).sorted() {
            do {
                guard let facts = try reader.facts(digest), facts.plainByteCount <= 256 << 20 else { continue }
                let artifact = try Artifact(manifest: reader.bytes(digest, byteCount: facts.plainByteCount))
                let status = try files.status("\(path)/\(digest.hex.dropFirst(2))")
                try insert(
                    database, digest, artifact, created: status?.modified ?? 0, byteCount: facts.storedByteCount)
            } catch let error as StoreError where error.code != .inputOutput {
                note("left out of the index: \(error)")
            }
        }
    }

    private func insert(
        _ database: Database, _ digest: Digest, _ artifact: Artifact, created: Int64, byteCount: Int
    ) throws {
        try database.run(
            sql: """
                INSERT INTO artifact (digest, kind, stage, created, logicalBytes, manifestBytes) VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                Data(digest.rawBytes), artifact.kind, artifact.provenance.stage, created, artifact.logicalByteCount,
                byteCount,
            ])
        let row = database.lastInsertedRowID
        for blob in Dictionary(artifact.blobs.map { ($0.digest, $0) }, uniquingKeysWith: { first, _ in first }).values {
            let name = Data(blob.digest.rawBytes)
            try database.run(
                sql: "INSERT OR IGNORE INTO blob (digest, plainBytes) VALUES (?, ?)",
                arguments: [name, blob.blobByteCount])
            try database.run(
                sql: "INSERT INTO artifactBlob (artifact, blob) SELECT ?, id FROM blob WHERE digest = ?",
                arguments: [row, name])
        }
        for (role, input) in artifact.provenance.inputs {
            try database.run(
                sql: "INSERT INTO input (artifact, role, digest) VALUES (?, ?, ?)",
                arguments: [row, role, Data(input.rawBytes)])
        }
    }

    private func forgetArtifacts(_ database: Database, _ folder: String, keeping: Set<Digest>) throws {
        for digest in try digests(database, "artifact", folder).subtracting(keeping) {
            try database.run(sql: "DELETE FROM artifact WHERE digest = ?", arguments: [Data(digest.rawBytes)])
        }
    }

    // MARK: Blobs

    private func readBlobs(_ database: Database, _ path: String, _ folder: String) throws {
        let present = try present(path, folder)
        try forgetBlobs(database, folder, keeping: present)
        let reader = BlobReader(
            storage: LocalBlobStorage(root: layout.blobs, files: files, session: nil), place: layout.blobs)
        for digest in present.sorted() {
            let name = Data(digest.rawBytes)
            guard let status = try files.status("\(path)/\(digest.hex.dropFirst(2))") else { continue }
            let old = try Int64.fetchOne(
                database, sql: "SELECT changed FROM blob WHERE digest = ? AND storedBytes IS NOT NULL",
                arguments: [name])
            if old == status.changed { continue }
            // A file whose header is not right still takes its room.
            let facts = try? reader.facts(digest)
            try database.run(
                sql: """
                    INSERT INTO blob (digest, plainBytes, storedBytes, codec, changed) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (digest) DO UPDATE SET storedBytes = excluded.storedBytes, codec = excluded.codec,
                        plainBytes = coalesce(excluded.plainBytes, plainBytes), changed = excluded.changed
                    """,
                arguments: [name, facts?.plainByteCount, status.byteCount, facts?.codec, settled(status.changed)])
        }
    }

    private func forgetBlobs(_ database: Database, _ folder: String, keeping: Set<Digest>) throws {
        for digest in try digests(database, "blob", folder).subtracting(keeping) {
            let name = Data(digest.rawBytes)
            try database.run(
                sql: "UPDATE blob SET storedBytes = NULL, codec = NULL, changed = 0 WHERE digest = ?", arguments: [name]
            )
            try database.run(
                sql: "DELETE FROM blob WHERE digest = ? AND id NOT IN (SELECT blob FROM artifactBlob)",
                arguments: [name])
        }
    }

    // MARK: References

    private func readReferences(_ database: Database, _ path: String, _ kind: String) throws {
        let folder = ReferenceFolder(layout: layout, files: files)
        let rows = try Row.fetchAll(
            database, sql: "SELECT name, changed FROM reference WHERE kind = ?", arguments: [kind])
        var known = try Self.times(rows)
        for name in try folder.names(kind: kind) {
            let old = known.removeValue(forKey: name)
            guard let status = try files.status("\(path)/\(name)"), old != status.changed else { continue }
            do {
                guard let reference = try folder.read(kind: kind, name: name) else { continue }
                try database.run(
                    sql:
                        "INSERT OR REPLACE INTO reference (kind, name, digest, created, changed) VALUES (?, ?, ?, ?, ?)",
                    arguments: [
                        kind, name, Data(reference.digest.rawBytes),
                        Int64(reference.created.timeIntervalSince1970) * 1_000_000_000, settled(status.changed),
                    ])
                try forgetEarlier(database, kind, name)
                for (number, entry) in reference.history.enumerated() {
                    try database.run(
                        sql: "INSERT INTO earlier (kind, name, number, digest, created) VALUES (?, ?, ?, ?, ?)",
                        arguments: [
                            kind, name, number, Data(entry.digest.rawBytes),
                            Int64(entry.created.timeIntervalSince1970) * 1_000_000_000,
                        ])
                }
            } catch let error as StoreError where error.code != .inputOutput {
                note("left out of the index: \(error)")
                known[name] = 0
            }
        }
        for name in known.keys {
            try database.run(sql: "DELETE FROM reference WHERE kind = ? AND name = ?", arguments: [kind, name])
            try forgetEarlier(database, kind, name)
        }
    }

    private func forgetEarlier(_ database: Database, _ kind: String, _ name: String) throws {
        try database.run(sql: "DELETE FROM earlier WHERE kind = ? AND name = ?", arguments: [kind, name])
    }
}

extension Database {
    /// Like `execute`, with a statement that is parsed once.
    fileprivate func run(sql: String, arguments: StatementArguments = []) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }
}
