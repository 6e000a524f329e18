import Foundation

/// What a collection removes, or would remove.
public struct CollectionPlan: Hashable, Sendable {
    /// All that goes of one kind of artifact.
    public struct Share: Hashable, Sendable {
        /// nil for blobs that no artifact names: the remains of interrupted work.
        public let kind: String?
        public internal(set) var artifactCount = 0
        public internal(set) var blobCount = 0
        /// Of files. A blob of several artifacts counts for the kind that comes first in the alphabet.
        public internal(set) var byteCount = 0
    }

    public struct Entry: Hashable, Sendable {
        public let digest: Digest
        /// nil for a manifest that cannot be read.
        public let kind: String?
        public let created: Date
        public let logicalBlobCount: Int
        /// Whether others are parts of it, which must not go before it has gone for good.
        let hasParts: Bool
    }

    /// Largest first.
    public let shares: [Share]
    /// Artifacts that go, newest first.
    public let artifacts: [Entry]
    /// `kind/name` of remembered stages and what goes with them whose artifact goes or is gone.
    public let forgotten: [String]
    /// Stored bytes of what stays.
    public let keptBytes: Int
    public let keptArtifactCount: Int
    /// Blobs that stay only because others are encoded as differences from them, and their bytes.
    public let baseCount: Int
    public let baseBytes: Int
    /// Blobs that were such bases and go, and their bytes, which are among those of the shares.
    public let releasedCount: Int
    public let releasedBytes: Int
    /// Differences from those that are encoded in full for it, and the bytes that they grow by: fewer than the bases have.
    public let reencodedCount: Int
    public let reencodedBytes: Int
    /// Files in the trash before, and their bytes: a collection that was cut short left them.
    public let trashCount: Int
    public let trashBytes: Int

    let blobs: [Digest]
    let names: [Reachability.Name]

    public var artifactCount: Int { artifacts.count }
    public var blobCount: Int { blobs.count }
    /// Of artifacts and blobs; the trash is not counted.
    public var byteCount: Int { shares.reduce(0) { $0 + $1.byteCount } }

    init(
        _ graph: CollectionGraph, _ reachable: Reachability, releases: [BaseRelease], trash: (count: Int, byteCount: Int)
    ) {
        var kept = reachable
        kept.release(releases)
        var shares: [String?: Share] = [:]
        func add(_ kind: String?, artifacts: Int, blobs: Int, bytes: Int) {
            var share = shares[kind] ?? Share(kind: kind)
            share.artifactCount += artifacts
            share.blobCount += blobs
            share.byteCount += bytes
            shares[kind] = share
        }
        var kinds: [Digest: String] = [:]
        var entries: [Entry] = []
        for (digest, node) in graph.nodes where !kept.artifacts.contains(digest) {
            add(node.kind, artifacts: 1, blobs: 0, bytes: node.byteCount)
            for blob in node.blobs { kinds[blob] = min(kinds[blob] ?? node.kind, node.kind) }
            entries.append(
                Entry(
                    digest: digest, kind: node.kind, created: Date(timeIntervalSince1970: Double(node.created) / 1e9),
                    logicalBlobCount: node.blobs.count, hasParts: !node.parts.isEmpty))
        }
        for (digest, file) in graph.unreadable where !kept.artifacts.contains(digest) {
            add(nil, artifacts: 1, blobs: 0, bytes: file.byteCount)
            entries.append(
                Entry(digest: digest, kind: nil, created: Date(timeIntervalSince1970: 0), logicalBlobCount: 0, hasParts: false))
        }
        var removed: [Digest] = []
        for (digest, blob) in graph.blobs where !kept.keeps(blob: digest) {
            removed.append(digest)
            add(kinds[digest], artifacts: 0, blobs: 1, bytes: blob.byteCount)
        }
        self.shares = shares.values.sorted { ($1.byteCount, $0.kind ?? "~") < ($0.byteCount, $1.kind ?? "~") }
        artifacts = entries.sorted { ($1.created, $1.digest) < ($0.created, $0.digest) }
        blobs = removed.sorted()
        names = graph.references.map { Reachability.Name($0) }.filter { !kept.names.contains($0) }.sorted()
        forgotten = names.map(\.description)
        releasedCount = releases.count
        releasedBytes = releases.reduce(0) { $0 + $1.byteCount }
        reencodedCount = releases.reduce(0) { $0 + $1.deltas.count }
        reencodedBytes = releases.reduce(0) { $0 + $1.growth }
        keptBytes = reachable.storedBytes - releasedBytes + reencodedBytes
        keptArtifactCount = kept.artifacts.count
        baseCount = kept.bases.count
        baseBytes = kept.bases.reduce(0) { $0 + (graph.blobs[$1]?.byteCount ?? 0) }
        (trashCount, trashBytes) = trash
    }
}

extension CollectionGraph {
    /// Refuses to decide when something that is needed cannot be read: what it needs is not known.
    func checkReadable(_ kept: Reachability) throws {
        for (digest, fault) in unreadable.sorted(by: { $0.key < $1.key }) where kept.artifacts.contains(digest) {
            throw StoreError(
                .damaged, operation: "collect", path: fault.error.path, expected: "readable manifests of all that is kept",
                found: fault.error.found ?? "\(fault.error.code)",
                advice: "mend it with 'pipeline store repair', or remove its names; nothing was removed")
        }
        // Its blobs may be all that is left of it, and nobody knows which they are.
        if let digest = kept.missing.min() {
            throw StoreError(
                .damaged, operation: "collect", path: Store.path("artifacts", digest), expected: "manifests of all that is kept",
                found: "nothing",
                advice: "'pipeline store verify' tells whose it is; put it back with 'pipeline store repair', make it again, or remove the names that need it; nothing was removed")
        }
    }
}
