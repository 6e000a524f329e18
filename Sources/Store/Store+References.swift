extension Store {
    /// The kind of references under which finished stages are remembered.
    public static let stageKind = "stage"

    /// What a name stands for; nil if it is free.
    public func reference(kind: String, name: String) throws -> Reference? {
        try references.read(kind: kind, name: name)
    }

    /// Gives an artifact a name. With `replace` the name may stand for something else before, which is kept in its
    /// history.
    ///
    /// - Throws: `StoreError` with code `nameInUse`, `invalidName`, `readOnly`, or `notFound` for an artifact that is
    /// not here.
    public func setReference(kind: String, name: String, to digest: Digest, replace: Bool = false) throws {
        let session = try writingSession()
        // Between the look and the naming no collection may take the artifact away.
        let lease = try leases.lease()
        defer { lease.release() }
        _ = try artifact(digest)
        try references.set(
            kind: kind, name: name, to: digest, isReplacing: replace, tool: tool, session: session)
        if StoreConventions.keeps(kind) { session.settle(digest) }
    }

    /// Forgets a name and its history; the artifact stays. False if there was no such name.
    @discardableResult
    public func removeReference(kind: String, name: String) throws -> Bool {
        _ = try writingSession()
        return try references.remove(kind: kind, name: name)
    }

    /// All references of a kind in the order of their names. A damaged one is an error.
    public func references(kind: String) throws -> [Reference] {
        try references.names(kind: kind).compactMap { try references.read(kind: kind, name: $0) }
    }

    /// The kinds that have references.
    public func referenceKinds() throws -> [String] { try references.kinds() }

    /// The artifact that a stage of this key made; nil if it never finished, or its artifact, a part of it or a blob is gone. One that only
    /// the upstream store has is copied in.
    public func memoized(_ key: Digest) throws -> Digest? {
        guard let reference = try references.read(kind: Self.stageKind, name: key.hex),
            try isWhole(reference.digest)
        else { return try memoizedUpstream(key) }
        return reference.digest
    }

    /// Whether manifests and blobs of an artifact and its parts are there.
    ///
    /// - Parameter checksBytes: reads the encoded bytes, too; otherwise headers must do, for bytes are checked whenever they are read.
    public func isWhole(_ root: Digest, checksBytes: Bool = false) throws -> Bool {
        var waiting = [root]
        while let digest = waiting.popLast() {
            do {
                guard try contains(artifact: digest) else { return false }
                let artifact = try artifact(digest)
                for blob in artifact.blobs {
                    guard let facts = try blobReader.facts(blob.digest), facts.plainByteCount == blob.blobByteCount else { return false }
                    if let base = facts.base, try blobReader.facts(base) == nil { return false }
                    if checksBytes { try blobReader.verifyEncoding(blob.digest) }
                }
                waiting += artifact.parts
            } catch let error as StoreError where error.isDamage || error.code == .notFound { return false }
        }
        return true
    }

    /// Remembers the artifact that a stage of this key made. A later artifact of the same key takes the earlier one's
    /// place.
    public func memoize(_ key: Digest, _ artifact: Digest) throws {
        try setReference(kind: Self.stageKind, name: key.hex, to: artifact, replace: true)
    }
}
