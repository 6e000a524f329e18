import Synchronization

/// Takes artifacts that come from elsewhere into the store: blobs in their encoded form first, then manifests.
///
/// Everything is checked before it is visible. Nothing that a manifest names is taken away while the receiver lives.
public final class ArtifactReceiver: Sendable {
    private let store: Store
    private let session: StagingSession
    private let blobs: LocalBlobStorage
    private let manifests: LocalBlobStorage
    /// As long as it is held, no collection removes blobs.
    private let lease: any FileLock
    /// Blobs found whole here.
    private let present = Mutex<Set<Digest>>([])

    init(_ store: Store, _ session: StagingSession, _ lease: any FileLock) {
        (self.store, self.session, self.lease) = (store, session, lease)
        blobs = LocalBlobStorage(root: store.layout.blobs, files: store.files, session: session)
        manifests = LocalBlobStorage(root: store.layout.artifacts, files: store.files, session: session)
    }

    /// Whether a blob of this length lies here, whole. A damaged one counts as absent and is fetched anew.
    public func has(_ blob: Digest, plainByteCount: Int) throws -> Bool {
        if present.withLock({ $0.contains(blob) }) { return true }
        do {
            if try store.blobReader.facts(blob) == nil, try !store.trash.restore(blob) { return false }
            guard let facts = try store.blobReader.facts(blob), facts.plainByteCount == plainByteCount else { return false }
            try store.blobReader.verifyEncoding(blob)
            if let base = facts.base, try store.blobReader.fullBase(base, byteCount: plainByteCount) != base { return false }
        } catch let error as StoreError where error.isDamage {
            return false
        }
        present.withLock { _ = $0.insert(blob) }
        return true
    }

    /// The most bytes that an honest encoded form of so many plain ones takes.
    public static func largestEncoding(of plainByteCount: Int) -> Int {
        let (sum, overflow) = plainByteCount.addingReportingOverflow(plainByteCount / 64 + 65_536)
        return overflow ? .max : sum
    }

    /// A file for a blob to arrive in. With a key, which must name the very bytes that will arrive, it may hold the
    /// beginning of them already.
    public func partialFile(key: Digest?) throws -> PartialFile {
        if let key {
            let folder = "\(store.layout.staging)/\(PartialFile.folderName)"
            try store.files.makeDirectory(folder)
            if let file = try PartialFile(path: "\(folder)/\(key.hex)", files: store.files, isKept: true) { return file }
        }
        let path = try session.newPath()
        guard let file = try PartialFile(path: path, files: store.files, isKept: false) else {
            throw StoreError(.busy, operation: "create a file", path: path)
        }
        return file
    }

    /// Checks an encoded blob that has arrived and makes it durable and visible. One that is not right is forgotten.
    ///
    /// - Throws: `StoreError` with code `damaged` for anything but the bytes of `digest`.
    public func accept(_ file: PartialFile, as digest: Digest, plainByteCount: Int) throws {
        do {
            try check(file, digest, plainByteCount)
        } catch let error as StoreError where error.isDamage || error.code == .newerFormat {
            try file.restart()
            throw error
        }
        try file.sync()
        try blobs.adopt(file.path, as: digest)
        present.withLock { _ = $0.insert(digest) }
    }

    private func check(_ file: PartialFile, _ digest: Digest, _ plainByteCount: Int) throws {
        let arrived = BlobReader(storage: Arrived(path: file.path, files: store.files), place: file.path)
        let facts = try arrived.facts(digest)
        guard facts?.plainByteCount == plainByteCount else {
            throw StoreError(
                .damaged, operation: "take a blob from elsewhere", expected: "\(plainByteCount) plain bytes of \(digest.short)",
                found: facts.map { "\($0.plainByteCount)" } ?? "nothing")
        }
        guard facts?.base == nil else {
            throw StoreError(
                .damaged, operation: "take a blob from elsewhere", expected: "a form that can be read by itself", found: "a delta")
        }
        try arrived.verify(digest)
    }

    /// Copies a blob from another store, unless it is here.
    ///
    /// - Returns: the bytes of its encoded form, and whether they were copied.
    @discardableResult
    public func copy(
        _ digest: Digest, plainByteCount: Int, from other: Store, isCancelled: () -> Bool = { false },
        progress: (Int) -> Void = { _ in }
    ) throws -> (byteCount: Int, isNew: Bool) {
        if try has(digest, plainByteCount: plainByteCount) { return (try store.blobReader.facts(digest)?.storedByteCount ?? 0, false) }
        let blob = try other.encodedBlob(digest)
        let file = try partialFile(key: nil)
        var buffer = [UInt8](repeating: 0, count: max(1, min(blob.byteCount, 1 << 20)))
        while file.byteCount < blob.byteCount {
            if isCancelled() { throw TransferInterrupted() }
            let count = min(buffer.count, blob.byteCount - file.byteCount)
            try buffer.withUnsafeMutableBytes {
                let portion = UnsafeMutableRawBufferPointer(rebasing: $0[..<count])
                try blob.read(into: portion, at: file.byteCount)
                try file.append(UnsafeRawBufferPointer(portion))
            }
            progress(count)
        }
        try accept(file, as: digest, plainByteCount: plainByteCount)
        return (blob.byteCount, true)
    }

    /// Reads a foreign manifest with all suspicion.
    ///
    /// - Throws: `StoreError` with code `damaged` if it is not what its digest says, and those of `Artifact.init`.
    public static func parse(manifest: [UInt8], of digest: Digest) throws -> Artifact {
        guard Digest(of: manifest) == digest else {
            throw StoreError(
                .damaged, operation: "take a manifest from elsewhere", expected: "\(digest)", found: "\(Digest(of: manifest))")
        }
        return try Artifact(manifest: manifest)
    }

    /// Makes an artifact visible, of which all blobs have arrived. False if it was here.
    ///
    /// - Throws: `StoreError` with code `notFound` for a blob that is not here.
    @discardableResult
    public func commit(_ manifest: [UInt8], of digest: Digest) throws -> Bool {
        let artifact = try Self.parse(manifest: manifest, of: digest)
        for blob in Set(artifact.blobs.map { Needed(digest: $0.digest, byteCount: $0.blobByteCount) })
        where try !has(blob.digest, plainByteCount: blob.byteCount) {
            throw StoreError(
                .notFound, operation: "take an artifact from elsewhere", path: blobs.path(of: blob.digest),
                expected: "a blob that came before", found: "nothing", advice: "run the command again")
        }
        try blobs.publish([], relying: artifact.blobs.map(\.digest) + store.bases(of: artifact))
        try session.holdUnnamed(digest)
        if let old = try? store.artifact(digest), old == artifact {
            try manifests.publish([], relying: [digest])
            return false
        }
        let file = try manifests.stage()
        try manifest.withUnsafeBytes { try file.write($0, at: 0) }
        try manifests.publish([(digest, file)], relying: [])
        return true
    }

    private struct Needed: Hashable {
        var digest: Digest
        var byteCount: Int
    }
}

/// Thrown by a transfer that was asked to stop. What had arrived is kept where it can be.
public struct TransferInterrupted: Error, Sendable {
    public init() {}
}

/// One file that is not in its place yet, as if it were a storage.
private struct Arrived: BlobStorage {
    let path: String
    let files: any FileSystem

    func open(_ digest: Digest) throws -> (any ReadableFile)? { try files.openFile(path) }
    func stage() throws -> any StagedFile { preconditionFailure("nothing is written here") }
    func publish(_ staged: [(digest: Digest, file: any StagedFile)], relying: [Digest]) throws {}
    func list(prefix: String) throws -> [Digest] { [] }
    func remove(_ digest: Digest) throws {}
}

extension Store {
    /// Begins to take in artifacts from elsewhere.
    ///
    /// - Throws: `StoreError` with code `readOnly` for a store that was opened so.
    public func receiver() throws -> ArtifactReceiver {
        ArtifactReceiver(self, try writingSession(), try leases.lease())
    }
}
