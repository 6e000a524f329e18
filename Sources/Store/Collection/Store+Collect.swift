/// What a collection did.
public struct CollectionReport: Hashable, Sendable {
    /// What went into the trash.
    public let plan: CollectionPlan
    /// Files removed, those found in the trash included, and their bytes.
    public internal(set) var removedCount = 0
    public internal(set) var removedBytes = 0
}

/// How far a collection is: stored bytes done, and those to do, of the differences that it encodes in full, then of what it removes.
public enum CollectionProgress: Hashable, Sendable {
    case encoded(Int, of: Int)
    case removed(Int, of: Int)
}

extension Store {
    /// What a collection would remove now. Changes nothing and works on a store that is only read.
    ///
    /// - Parameter releasesBases: also looks for bases that differences can do without, which encodes those differences in full.
    /// - Throws: `StoreError` with code `damaged` when something that is needed cannot be read.
    public func collectionPlan(
        retention: Retention? = nil, releasesBases: Bool = true, progress: (CollectionProgress) -> Void = { _ in }
    ) throws -> CollectionPlan {
        let graph = try CollectionGraph(self)
        let kept = Reachability(graph, try retention ?? self.retention())
        try graph.checkReadable(kept)
        let releases = releasesBases ? try baseReleases(graph, kept, stages: false, progress: progress) : []
        return CollectionPlan(graph, kept, releases: releases, trash: try trash.contents())
    }

    /// Removes what nobody needs.
    ///
    /// Most of the looking is done beside writers, and so is the encoding of differences in full whose bases can go then. Then new
    /// writers wait at the gate and those at work are waited for; the little that changed is looked at again, the full encodings take
    /// their places, and everything that is not needed is renamed into the trash: remembered stages first, then manifests, those
    /// that need others before these, then blobs, so that at no instant something is there whose parts are not. Writers go on, and the trash is emptied.
    /// A kill at any instant leaves a whole store; the next collection goes on.
    ///
    /// - Parameter patience: seconds to wait for writers at work.
    /// - Throws: `StoreError` with code `busy` when writers or another collection are at work, `damaged` when something that is needed
    ///   cannot be read, `readOnly`.
    @discardableResult
    public func collect(
        retention: Retention? = nil, patience: Double = 10, progress: (CollectionProgress) -> Void = { _ in }
    ) throws -> CollectionReport {
        guard mode == .readWrite else {
            throw StoreError(.readOnly, operation: "collect in a store opened read-only", path: layout.root)
        }
        guard let collector = try files.lock(layout.collectorLock, exclusive: true, wait: false) else {
            throw StoreError(
                .busy, operation: "collect", path: layout.collectorLock, expected: "no other collection", found: "one at work",
                advice: "wait for it to end")
        }
        defer { collector.release() }
        let retention = try retention ?? self.retention()
        let before = try CollectionGraph(self)
        let kept = Reachability(before, retention)
        try before.checkReadable(kept)
        let releases = try baseReleases(before, kept, stages: true, progress: progress)
        let plan = try takeAway(retention, after: before, releases, patience: patience)
        var report = CollectionReport(plan: plan)
        try trash.empty { byteCount in
            report.removedCount += 1
            report.removedBytes += byteCount
            progress(.removed(report.removedBytes, of: plan.byteCount + plan.trashBytes))
        }
        return report
    }

    private func takeAway(
        _ retention: Retention, after before: CollectionGraph, _ prepared: [BaseRelease], patience: Double
    ) throws -> CollectionPlan {
        let locks = try leases.alone(waiting: patience)
        defer { for lock in locks { lock.release() } }
        try StagingSession.sweep(staging: layout.staging, files: files)
        sweepClaims()
        let graph = try CollectionGraph(self, after: before)
        let kept = Reachability(graph, retention)
        try graph.checkReadable(kept)
        let releases = try publish(confirmed(prepared, before, graph, kept))
        let plan = CollectionPlan(graph, kept, releases: releases, trash: try trash.contents())
        try references.remove(plan.names.map { ($0.kind, $0.name) })
        do { try trash.prepare() } catch let error as StoreError where error.code == .diskFull {
            // Without a trash files are removed at once, which is what makes room.
        }
        // A manifest that came back after a loss of power must not find its parts or its blobs gone.
        try trash.take(plan.artifacts.filter(\.hasParts).map(\.digest), .artifacts, sync: true)
        try trash.take(plan.artifacts.filter { !$0.hasParts }.map(\.digest), .artifacts, sync: true)
        try trash.take(plan.blobs, .blobs, sync: false)
        return plan
    }

    /// Files that a collection that was cut short left in the trash, and their bytes.
    public func collectionTrash() throws -> (count: Int, byteCount: Int) { try trash.contents() }

    /// Keeps an artifact and all that it needs from collection until `release()`, the last reference, or the end of the process.
    ///
    /// - Throws: `StoreError` with code `notFound` when it is gone already.
    public func hold(_ digest: Digest) throws -> ArtifactHold {
        guard mode == .readWrite else {
            _ = try artifact(digest)
            return ArtifactHold {}
        }
        let session = try writingSession()
        let lease = try leases.lease()
        defer { lease.release() }
        _ = try artifact(digest)
        try session.hold(digest)
        return ArtifactHold { session.release(digest) }
    }
}
