/// What a transfer moved, in bytes of encoded blobs and manifests.
public struct TransferReport: Hashable, Sendable {
    public var artifactCount = 0
    public var movedBlobCount = 0
    public var movedBytes = 0
    /// What the other side had already, or kept of an interrupted transfer.
    public var skippedBlobCount = 0
    public var skippedBytes = 0

    public init() {}
}

extension Store {
    /// Copies an artifact with its parts and, with `lineage`, all that they were made from, out of another store.
    ///
    /// - Parameter progress: told the bytes done and to do, of encoded blobs.
    /// - Throws: `StoreError`; `TransferInterrupted`.
    @discardableResult
    public func fetch(
        _ digest: Digest, from other: Store, lineage: Bool = true, isCancelled: () -> Bool = { false },
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> TransferReport {
        try fetch(other.closure(of: digest, lineage: lineage), from: other, isCancelled: isCancelled, progress: progress)
    }

    /// Copies what a closure of another store names.
    @discardableResult
    public func fetch(
        _ closure: ArtifactClosure, from other: Store, isCancelled: () -> Bool = { false },
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> TransferReport {
        let receiver = try receiver()
        var report = TransferReport()
        var waiting: Set<Digest> = []
        var total = 0
        for (_, artifact) in closure.artifacts {
            for blob in artifact.blobs where waiting.insert(blob.digest).inserted {
                total += try other.blobReader.facts(blob.digest)?.storedByteCount ?? 0
            }
        }
        var done = 0
        for (digest, artifact) in closure.artifacts {
            for blob in artifact.blobs where waiting.remove(blob.digest) != nil {
                let (byteCount, isNew) = try receiver.copy(
                    blob.digest, plainByteCount: blob.blobByteCount, from: other, isCancelled: isCancelled
                ) { count in
                    // A delta is longer on its way than in its file.
                    done = min(done + count, total)
                    progress(done, total)
                }
                if isNew {
                    report.movedBlobCount += 1
                    report.movedBytes += byteCount
                } else {
                    report.skippedBlobCount += 1
                    report.skippedBytes += byteCount
                    done = min(done + byteCount, total)
                }
                progress(done, total)
            }
            let manifest = try artifact.manifest()
            if try receiver.commit(manifest, of: digest) {
                report.movedBytes += manifest.count
            } else {
                report.skippedBytes += manifest.count
            }
            report.artifactCount += 1
        }
        return report
    }
}
