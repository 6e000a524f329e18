import Foundation
import GRDB

/// What a store holds and what that takes.
public struct Usage: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        public let digest: Digest
        public let kind: String
        /// `kind/name` of the references to it.
        public let references: [String]
        /// The bytes of everything it names.
        public let logicalBytes: Int
        /// The files of its blobs and its manifest, shared or not.
        public let storedBytes: Int
        /// The part of `storedBytes` that no other artifact uses.
        public let exclusiveBytes: Int
    }

    /// The artifacts' bytes as if each were kept whole by itself.
    public let logicalBytes: Int
    /// All blob and manifest files.
    public let storedBytes: Int
    public let artifactCount: Int
    public let blobCount: Int
    /// Blob files that no artifact names, and their bytes: the remains of interrupted work.
    public let unreferencedCount: Int
    public let unreferencedBytes: Int
    /// Largest first by what only they use.
    public let artifacts: [Entry]
}

extension Store {
    public func usage() throws -> Usage {
        let summaries = Dictionary(try list().map { ($0.digest, $0) }) { first, _ in first }
        return try index.read([.artifacts, .references, .blobs]) { database in
            func total(_ sql: String) throws -> Int { try Int.fetchOne(database, sql: sql) ?? 0 }
            let rows = try Row.fetchAll(
                database,
                sql: """
                    WITH users (blob, count) AS (SELECT blob, count(*) FROM artifactBlob GROUP BY blob)
                    SELECT artifact.digest, artifact.kind, artifact.logicalBytes,
                        artifact.manifestBytes + coalesce(sum(blob.storedBytes), 0),
                        artifact.manifestBytes + coalesce(sum(CASE WHEN users.count = 1 THEN blob.storedBytes END), 0)
                    FROM artifact
                    LEFT JOIN artifactBlob ON artifactBlob.artifact = artifact.id
                    LEFT JOIN blob ON blob.id = artifactBlob.blob
                    LEFT JOIN users ON users.blob = blob.id
                    GROUP BY artifact.id ORDER BY 5 DESC, 1
                    """)
            let entries = try rows.compactMap { row throws -> Usage.Entry? in
                guard let digest = Digest(rawBytes: try row.decode(Data.self, atIndex: 0)) else { return nil }
                return Usage.Entry(
                    digest: digest, kind: try row.decode(String.self, atIndex: 1),
                    references: summaries[digest]?.references ?? [],
                    logicalBytes: try row.decode(Int.self, atIndex: 2),
                    storedBytes: try row.decode(Int.self, atIndex: 3),
                    exclusiveBytes: try row.decode(Int.self, atIndex: 4))
            }
            let unreferenced = "FROM blob WHERE storedBytes IS NOT NULL AND id NOT IN (SELECT blob FROM artifactBlob)"
            return Usage(
                logicalBytes: try total("SELECT sum(logicalBytes) FROM artifact"),
                storedBytes: try total("SELECT sum(storedBytes) FROM blob")
                    + total("SELECT sum(manifestBytes) FROM artifact"),
                artifactCount: entries.count,
                blobCount: try total("SELECT count(*) FROM blob WHERE storedBytes IS NOT NULL"),
                unreferencedCount: try total("SELECT count(*) \(unreferenced)"),
                unreferencedBytes: try total("SELECT sum(storedBytes) \(unreferenced)"), artifacts: entries)
        }
    }
}
