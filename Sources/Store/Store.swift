import Foundation
import Synchronization

/// Artifacts over blobs, each named by the SHA-256 of its content, in a folder that many processes may use at once.
///
/// Everything written stays as it was written; only references change. Plain bytes come out of a store checked, or not
/// at all.
public final class Store: Sendable {
    public enum Mode: Sendable {
        /// Makes the store if it is not there.
        case readWrite
        /// Writes nothing at all, so that a store of another group or on a read-only disk can be used.
        case readOnly
    }

    /// The folder.
    public let location: URL
    public let mode: Mode

    let layout: StoreLayout
    let files: any FileSystem
    let references: ReferenceFolder
    let blobReader: BlobReader
    let manifestReader: BlobReader
    let index: StoreIndex
    let trash: Trash
    let leases: CollectionLeases
    private let session = Mutex<StagingSession?>(nil)
    private let lastPack = Mutex<(digest: Digest, bytes: [UInt8])?>(nil)

    /// Opens the store in a folder.
    ///
    /// - Parameters:
    ///   - tool: the name and version that references record.
    ///   - upstream: another store, which is only read: finished work and names that are not here are looked for there.
    ///   - note: called with a sentence when something worth telling was done by itself, such as rebuilding the index.
    /// - Throws: `StoreError` with code `notAStore`, `newerFormat` or `inputOutput`.
    public convenience init(
        at location: URL, mode: Mode = .readWrite, tool: String? = nil, upstream: Store? = nil,
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
        try self.init(
            at: location, mode: mode, tool: tool, upstream: upstream, note: note, files: LocalFileSystem(),
            indexIsOnDisk: true)
    }

    let tool: String?
    /// Searched for finished work and for names that are not here; what is found is copied in.
    public let upstream: Store?
    let note: @Sendable (String) -> Void

    init(
        at location: URL, mode: Mode, tool: String? = nil, upstream: Store? = nil,
        note: @escaping @Sendable (String) -> Void = { _ in }, files: any FileSystem, indexIsOnDisk: Bool
    ) throws {
        self.location = location.standardizedFileURL
        self.mode = mode
        self.tool = tool
        self.upstream = upstream
        self.note = note
        self.files = files
        layout = StoreLayout(root: Self.path(of: location))
        switch mode {
        case .readWrite:
            try layout.create(files)
            try StagingSession.sweep(staging: layout.staging, files: files)
        case .readOnly:
            try layout.check(files)
        }
        references = ReferenceFolder(layout: layout, files: files)
        let blobs = LocalBlobStorage(root: layout.blobs, files: files, session: nil)
        let manifests = LocalBlobStorage(root: layout.artifacts, files: files, session: nil)
        blobReader = BlobReader(storage: blobs, place: layout.blobs)
        manifestReader = BlobReader(storage: manifests, place: layout.artifacts)
        let form: StoreIndex.Form = !indexIsOnDisk ? .memory : mode == .readOnly ? .copy : .file
        trash = Trash(layout: layout, files: files)
        leases = CollectionLeases(layout: layout, files: files)
        index = StoreIndex(layout: layout, files: files, form: form, note: note)
    }

    private static func path(of location: URL) -> String {
        var path = location.standardizedFileURL.path(percentEncoded: false)
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    // MARK: Writing

    /// Begins an artifact.
    ///
    /// - Throws: `StoreError` with code `readOnly` for a store that was opened so.
    public func writer(effort: Effort = .standard) throws -> ArtifactWriter {
        let session = try writingSession()
        return ArtifactWriter(
            blobs: LocalBlobStorage(root: layout.blobs, files: files, session: session),
            manifests: LocalBlobStorage(root: layout.artifacts, files: files, session: session), reader: blobReader,
            effort: effort, lease: try leases.lease(), trash: trash, hold: session.holdUnnamed)
    }

    /// The folder for this store's temporary files, made when first needed.
    func writingSession() throws -> StagingSession {
        guard mode == .readWrite else {
            throw StoreError(
                .readOnly, operation: "write to a store opened read-only", path: layout.root,
                advice: "use a store of your own")
        }
        return try session.withLock { session in
            if let session { return session }
            let made = try StagingSession(staging: layout.staging, files: files)
            session = made
            return made
        }
    }

    // MARK: Reading

    /// The manifest of a digest, checked.
    ///
    /// - Throws: `StoreError` with code `notFound` or `damaged`.
    public func artifact(_ digest: Digest) throws -> Artifact {
        guard let facts = try manifestReader.facts(digest) else {
            throw StoreError(.notFound, operation: "read an artifact", expected: "\(digest)", found: "nothing")
        }
        guard facts.plainByteCount <= 256 << 20 else {
            throw StoreError(
                .damaged, operation: "read an artifact", expected: "a manifest of at most 256 MiB",
                found: "\(facts.plainByteCount) bytes")
        }
        return try Artifact(manifest: manifestReader.bytes(digest, byteCount: facts.plainByteCount))
    }

    /// Fills `target`, which must be as long as the range, with the range's bytes. If this throws, `target` holds
    /// zeros.
    ///
    /// - Throws: `StoreError` with code `damaged` if the blob is missing or is not what its digest says.
    public func read(_ blob: BlobReference, into target: UnsafeMutableRawBufferPointer) throws {
        precondition(target.count == blob.byteCount, "a buffer of the range's length")
        do {
            try blob.validate()
            guard blob.isPacked else { return try blobReader.read(blob.digest, into: target) }
            let pack = try packed(blob)
            pack.withUnsafeBytes {
                target.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: $0[blob.offset..<blob.offset + blob.byteCount]))
            }
        } catch {
            target.initializeMemory(as: UInt8.self, repeating: 0)
            throw error
        }
    }

    /// A range's bytes. Sizes are checked against the file before memory is taken.
    public func data(_ blob: BlobReference) throws -> Data {
        try blob.validate()
        if blob.isPacked { return Data(try packed(blob)[blob.offset..<blob.offset + blob.byteCount]) }
        return Data(try blobReader.bytes(blob.digest, byteCount: blob.byteCount))
    }

    /// Hands a range's bytes to `body` in portions, in bounded memory. The blob is read twice: checked first, then
    /// handed over.
    public func stream(_ blob: BlobReference, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try blob.validate()
        guard blob.isPacked else {
            return try blobReader.stream(blob.digest, byteCount: blob.byteCount, body)
        }
        try packed(blob).withUnsafeBytes {
            try body(UnsafeRawBufferPointer(rebasing: $0[blob.offset..<blob.offset + blob.byteCount]))
        }
    }

    // Members of a pack are asked for one after another, so the last pack is kept: at most 16 MiB.
    private func packed(_ blob: BlobReference) throws -> [UInt8] {
        if let last = lastPack.withLock({ $0 }), last.digest == blob.digest, last.bytes.count == blob.blobByteCount {
            return last.bytes
        }
        let bytes = try blobReader.bytes(blob.digest, byteCount: blob.blobByteCount)
        lastPack.withLock { $0 = (blob.digest, bytes) }
        return bytes
    }
}
