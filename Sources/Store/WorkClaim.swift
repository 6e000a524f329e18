import Synchronization

/// The sole right to do a piece of work among all processes that use the store, so that two which are asked for the same do not both compute it.
///
/// Ends with `release()`, with its last reference, or with its holder's life.
public final class WorkClaim: Sendable {
    private let path: String
    private let files: any FileSystem
    private let lock: Mutex<(any FileLock)?>

    fileprivate init(path: String, files: any FileSystem, lock: any FileLock) {
        (self.path, self.files) = (path, files)
        self.lock = Mutex(lock)
    }

    deinit { release() }

    public func release() {
        lock.withLock { lock in
            // While it is locked the file is no other claim's.
            if lock != nil { try? files.remove(path) }
            lock?.release()
            lock = nil
        }
    }
}

extension Store {
    /// Claims the work whose result `memoize(_:_:)` will remember under `key`. Does not wait: ask again after a while.
    ///
    /// - Returns: nil while somebody else has it.
    /// - Throws: `StoreError` with code `readOnly` for a store that was opened so.
    public func claim(work key: Digest) throws -> WorkClaim? {
        _ = try writingSession()
        try files.makeDirectory(layout.claims)
        return try claim("\(layout.claims)/\(key.hex)")
    }

    /// Removes the files that killed holders left, as far as that can be done: they are in nobody's way.
    func sweepClaims() {
        for name in (try? files.list(layout.claims)) ?? [] { try? claim("\(layout.claims)/\(name)")?.release() }
    }

    private func claim(_ path: String) throws -> WorkClaim? {
        try files.lock(path, exclusive: true, wait: false).map { WorkClaim(path: path, files: files, lock: $0) }
    }
}
