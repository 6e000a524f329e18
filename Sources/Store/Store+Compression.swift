/// What encoding blobs anew came to.
public struct CompressionReport: Hashable, Sendable {
    /// Blobs looked at.
    public internal(set) var blobCount = 0
    /// Those that became smaller.
    public internal(set) var smallerCount = 0
    /// Bytes of files.
    public internal(set) var savedBytes = 0
    /// Plain bytes of the blobs looked at, and of all that were asked for.
    public internal(set) var doneBytes = 0
    public internal(set) var totalBytes = 0

    public var isComplete: Bool { doneBytes == totalBytes }
}

extension Store {
    /// Encodes the blobs of some artifacts anew, the smallest first, so that little is lost when it is cancelled, and keeps what becomes
    /// smaller. Digests do not change, and others may use the store meanwhile.
    ///
    /// - Parameters:
    ///   - progress: called after each blob.
    ///   - isCancelled: asked often; true leaves the blob at work, and all that come after it, as they are.
    /// - Throws: as `recompress`.
    public func compress(
        _ artifacts: [Artifact], effort: Effort, progress: (CompressionReport) -> Void = { _ in },
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws -> CompressionReport {
        var seen: Set<Digest> = []
        let blobs = artifacts.flatMap(\.blobs).filter { seen.insert($0.digest).inserted }
            .sorted { ($0.blobByteCount, $0.digest) < ($1.blobByteCount, $1.digest) }
        var report = CompressionReport()
        report.totalBytes = blobs.reduce(0) { $0 + $1.blobByteCount }
        for blob in blobs {
            let saved: Int
            do { saved = try recompress(blob, effort: effort, isCancelled: isCancelled) } catch is CancellationError { break }
            report.blobCount += 1
            report.smallerCount += saved > 0 ? 1 : 0
            report.savedBytes += saved
            report.doneBytes += blob.blobByteCount
            progress(report)
        }
        return report
    }

    /// The checkpoints of a stage's key that the next collection keeps.
    ///
    /// - Throws: `StoreError` with code `damaged` for a reference that cannot be read.
    public func keptCheckpoints(of key: Digest) throws -> [Artifact] {
        let retention = try retention()
        // Without any of these only a resume point is kept, and looking at everything is spared.
        guard retention.lastCheckpoints > 0 || retention.keepsBest || retention.spareBytes > 0 else { return [] }
        let graph = try CollectionGraph(self)
        let kept = Reachability(graph, retention).artifacts
        return try graph.nodes.filter { digest, node in
            kept.contains(digest) && node.kind == StoreConventions.checkpointKind && node.key == key
        }.keys.sorted().map { try artifact($0) }
    }
}
