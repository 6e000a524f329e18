/// How the store's blobs are encoded, and other encodings for them.
extension Store {
    /// The blob whose bytes are needed to read this one, from the file's header; nil for a full blob.
    ///
    /// Whoever keeps or copies a blob keeps or copies its base too. A base is always a full blob.
    /// - Throws: `StoreError` with code `notFound` if there is no such blob, or `damaged`.
    public func base(of digest: Digest) throws -> Digest? {
        guard let facts = try blobReader.facts(digest) else {
            throw StoreError(.notFound, operation: "look at a blob", expected: "\(digest)", found: "nothing")
        }
        return facts.base
    }

    /// The blobs that must be there to read an artifact beside those it names: the bases of its deltas.
    ///
    /// - Throws: `StoreError` with code `notFound` or `damaged`.
    public func bases(of artifact: Artifact) throws -> Set<Digest> {
        let blobs = Set(artifact.blobs.map(\.digest))
        return Set(try blobs.compactMap { try base(of: $0) }).subtracting(blobs)
    }

    /// Encodes a blob of an artifact anew with another effort, and takes the result if it is smaller than what there is.
    ///
    /// A delta stays a delta to the same base and a full blob stays full, so this needs no lock: readers and writers
    /// find the old file or the new one, both right. All of the blob and its base is in memory meanwhile.
    /// - Parameter isCancelled: asked before and after some mebibytes each; true leaves everything as it is.
    /// - Returns: the bytes saved, 0 if the old encoding stays.
    /// - Throws: `StoreError` with code `damaged` if the blob is not whole, `readOnly`, `diskFull`, `inputOutput`; `CancellationError`.
    @discardableResult
    public func recompress(
        _ blob: BlobReference, effort: Effort, isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws -> Int {
        if isCancelled() { throw CancellationError() }
        let storage = LocalBlobStorage(root: layout.blobs, files: files, session: try writingSession())
        // As long as it is held, no collection removes the blob or its base.
        let lease = try leases.lease()
        defer { lease.release() }
        guard let facts = try blobReader.facts(blob.digest) else {
            throw StoreError(.notFound, operation: "compress a blob", expected: "\(blob.digest)", found: "nothing")
        }
        let bytes = try blobReader.bytes(blob.digest, byteCount: blob.blobByteCount)
        let plainBase = try facts.base.map { try blobReader.bytes($0, byteCount: blob.blobByteCount) }
        let type = blob.isPacked ? nil : blob.elementType.flatMap(ElementType.init(rawValue:))
        let result = try bytes.withUnsafeBytes { bytes in
            guard let plainBase, let base = facts.base, let type else {
                return try BlobWriter.stage(
                    bytes, digest: blob.digest, elementType: type, shape: blob.shape, effort: effort, storage: storage,
                    isCancelled: isCancelled)
            }
            return try plainBase.withUnsafeBytes {
                try BlobWriter.stage(
                    bytes, digest: blob.digest, elementType: type, shape: blob.shape, effort: effort, storage: storage,
                    base: .init(digest: base, bytes: $0), isCancelled: isCancelled)
            }
        }
        // Nothing but a smaller file is worth the change. A difference that became full could be taken for a base, while another
        // process that still knows it as a difference puts one in its place again.
        guard result.storedByteCount < facts.storedByteCount, result.file.isDelta == (facts.base != nil) else { return 0 }
        // It takes the place of the old file.
        result.file.isDelta = false
        try storage.publish([(blob.digest, result.file)], relying: [])
        return facts.storedByteCount - result.storedByteCount
    }
}
