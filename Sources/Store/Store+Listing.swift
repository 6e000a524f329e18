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
                let digest = try row.decode(Data.self, atIndex: 0)
                try names[digest, default: []].append(row.decodeName(atIndex: 1))
            }
            let artifacts = try Row.fetchCursor(
                database,
                sql: "SELECT digest, kind, stage, created, logicalBytes FROM artifact ORDER BY created DESC, digest")
            var summaries: [ArtifactSummary] = []
            while let row = try artifacts.next() {
                let kind = try row.decode(String.self, atIndex: 1)
                guard kinds.isEmpty || kinds.contains(kind) else { continue }
                let bytes = try row.decode(Data.self, atIndex: 0)
                guard let digest = Digest(rawBytes: bytes) else { continue }
                summaries.append(
                    ArtifactSummary(
                        digest: digest, kind: kind, stage: try row.decode(String.self, atIndex: 2),
                        created: try row.decodeTime(atIndex: 3), logicalBytes: try row.decode(Int.self, atIndex: 4),
                        references: names[bytes] ?? []))
            }
            return summaries
        }
    }

    /// `kind/name` of the references whose artifact cannot be listed, since its manifest is lost or damaged; in order, without remembered
    /// stages.
    public func unlistedNames() throws -> [String] {
        let candidates = try index.read([.artifacts, .references]) { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT kind, name FROM reference WHERE kind <> ? AND digest NOT IN (SELECT digest FROM artifact)
                    ORDER BY kind, name
                    """, arguments: [Self.stageKind]
            ).map { (kind: try $0.decode(String.self, atIndex: 0), name: try $0.decode(String.self, atIndex: 1)) }
        }
        // One that was written while the folders were read is fine.
        return try candidates.filter { candidate in
            do {
                guard let reference = try references.read(kind: candidate.kind, name: candidate.name) else { return false }
                return try !isReadable(reference.digest)
            } catch let error as StoreError where error.isDamage { return true }
        }.map { "\($0.kind)/\($0.name)" }
    }

    private func isReadable(_ digest: Digest) throws -> Bool {
        do {
            _ = try artifact(digest)
            return true
        } catch let error as StoreError where error.isDamage || error.code == .notFound { return false }
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
                try current.map { try $0.decodeName(atIndex: 0) },
                try earlier.map { (try $0.decodeName(atIndex: 0), try $0.decodeTime(atIndex: 2)) }
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

/// What a damaged index holds must throw: a subscript of a row would end the process.
extension Row {
    /// The kind at an index and the name behind it: `kind/name`.
    fileprivate func decodeName(atIndex index: Int) throws -> String {
        "\(try decode(String.self, atIndex: index))/\(try decode(String.self, atIndex: index + 1))"
    }

    fileprivate func decodeTime(atIndex index: Int) throws -> Date {
        Date(timeIntervalSince1970: Double(try decode(Int64.self, atIndex: index)) / 1e9)
    }
}
