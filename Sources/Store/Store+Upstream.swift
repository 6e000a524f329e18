import Foundation

/// A store that is searched, and copied from, before work is done here.
extension Store {
    /// What a stage of this key made in the upstream store, copied in and remembered here.
    ///
    /// An upstream that is damaged there is told and passed over: the work is then done here.
    func memoizedUpstream(_ key: Digest) throws -> Digest? {
        guard mode == .readWrite, let upstream else { return nil }
        do {
            guard let digest = try upstream.memoized(key) else {
                if let reference = try upstream.references.read(kind: Self.stageKind, name: key.hex) {
                    note("the upstream store's copy, \(reference.digest.short), is not whole; the work is done here")
                }
                return nil
            }
            try copyIn(digest, from: upstream)
            try memoize(key, digest)
            return digest
        } catch let error as StoreError where error.isDamage {
            note("the upstream store's copy is of no use (\(error)); the work is done here")
            return nil
        }
    }

    /// What a name or digest stands for in the upstream store, copied in; nil if it is unknown there too.
    func resolveUpstream(_ text: String, kinds: [String]) throws -> (name: String?, digest: Digest, artifact: Artifact)? {
        guard mode == .readWrite, let upstream else { return nil }
        do {
            let found = try upstream.resolve(text, kinds: kinds)
            try copyIn(found.digest, from: upstream)
            return found
        } catch let error as StoreError where error.code == .notFound {
            return nil
        }
    }

    private func copyIn(_ digest: Digest, from upstream: Store) throws {
        let report = try fetch(digest, from: upstream)
        guard report.movedBytes > 0 else { return }
        note("\(digest.short) found in the upstream store; \(report.movedBytes) bytes copied")
    }

    /// A folder for temporary files of a store that is only read.
    func temporarySession() throws -> StagingSession {
        var folder = NSTemporaryDirectory()
        while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
        return try StagingSession(staging: folder, files: files)
    }
}
