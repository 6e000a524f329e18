import Foundation
import GRDB

/// One line of a listing.
public struct ArtifactSummary: Hashable, Sendable {
    public let digest: Digest
    public let kind: String
    public let stage: String
    /// When the manifest was written here.
    public let created: Date
    /// The bytes of everything it names, as if nothing were shared or compressed.
    public let logicalBytes: Int
    /// `kind/name` of the references to it, in order; remembered stages are not among them.
    public let references: [String]
}

extension Store {
    /// The artifacts of some kinds, or of all, newest first.
    public func list(kinds: [String] = []) throws -> [ArtifactSummary] {
        try index.read([.artifacts, .references]) { database in
            var names: [Data: [String]] = [:]
            let references = try Row.fetchCursor(
                database, sql: "SELECT digest, kind, name FROM reference WHERE kind <> ? ORDER BY kind, name",
                arguments: [Self.stageKind])
            while let row = try references.next() {
                let (kind, name): (String, String) = (row[1], row[2])
                names[row[0], default: []].append("\(kind)/\(name)")
            }
            let artifacts = try Row.fetchCursor(
                database,
                sql: "SELECT digest, kind, stage, created, logicalBytes FROM artifact ORDER BY created DESC, digest")
            var summaries: [ArtifactSummary] = []
            while let row = try artifacts.next() {
                let kind: String = row[1]
                guard kinds.isEmpty || kinds.contains(kind) else { continue }
                guard let digest = Digest(rawBytes: row[0] as Data) else { continue }
                summaries.append(
                    ArtifactSummary(
                        digest: digest, kind: kind, stage: row[2],
                        created: Date(timeIntervalSince1970: Double(row[3] as Int64) / 1e9), logicalBytes: row[4],
                        references: names[row[0]] ?? []))
            }
            return summaries
        }
    }

    /// `kind/name` of the references to an artifact, and of those that stood for it before with the time since when; in
    /// order, without remembered stages.
    public func names(of digest: Digest) throws -> (current: [String], earlier: [(name: String, created: Date)]) {
        try index.read([.references]) { database in
            let arguments: StatementArguments = [Data(digest.rawBytes), Self.stageKind]
            let current = try Row.fetchAll(
                database, sql: "SELECT kind, name FROM reference WHERE digest = ? AND kind <> ? ORDER BY kind, name",
                arguments: arguments)
            let earlier = try Row.fetchAll(
                database,
                sql: "SELECT kind, name, created FROM earlier WHERE digest = ? AND kind <> ? ORDER BY kind, name, number",
                arguments: arguments)
            return (
                current.map { "\($0[0] as String)/\($0[1] as String)" },
                earlier.map {
                    ("\($0[0] as String)/\($0[1] as String)", Date(timeIntervalSince1970: Double($0[2] as Int64) / 1e9))
                }
            )
        }
    }

    /// The artifacts made directly from another one.
    public func artifacts(madeFrom digest: Digest) throws -> [Digest] {
        try index.read([.artifacts]) { database in
            try Data.fetchAll(
                database,
                sql: """
                    SELECT DISTINCT artifact.digest FROM input JOIN artifact ON artifact.id = input.artifact
                    WHERE input.digest = ? ORDER BY 1
                    """, arguments: [Data(digest.rawBytes)]
            ).compactMap { Digest(rawBytes: $0) }
        }
    }

    /// Throws the index away and makes it again from manifests and references.
    public func rebuildIndex() throws {
        if mode == .readWrite { _ = try writingSession() }
        try index.rebuild()
        _ = try index.read([.artifacts, .references, .blobs]) { _ in }
    }
}
