/// Everything that a collection decides by, read from the files alone: what is there, what it names, and who holds it.
struct CollectionGraph {
    /// An artifact, as far as it matters here.
    struct Node {
        var kind: String
        /// When the manifest was written here, in nanoseconds since 1970.
        var created: Int64
        /// Of the manifest's file.
        var byteCount: Int
        var blobs: Set<Digest>
        var inputs: Set<Digest>
        /// Digests in the attributes: a run names its model there.
        var mentions: Set<Digest>
        /// Those of them that it is nothing without.
        var parts: Set<Digest>
        /// Of the provenance; what a stage's result and its checkpoints have in common.
        var key: Digest?
        /// Of a checkpoint: the updates done, and the step with the best metric.
        var step: Int64?
        var bestStep: Int64?
    }

    struct Blob: Equatable {
        var byteCount: Int
        var changed: Int64
        /// The blob that a delta refers to.
        var base: Digest?
    }

    private(set) var nodes: [Digest: Node] = [:]
    private(set) var blobs: [Digest: Blob] = [:]
    /// Manifests that cannot be read. If one of them is needed, nobody knows what it needs.
    private(set) var unreadable: [Digest: (error: StoreError, byteCount: Int)] = [:]
    private(set) var references: [Reference] = []
    /// Held by living writers and readers.
    private(set) var held: Set<Digest> = []

    /// - Parameter old: an earlier look; manifests and unchanged blob files are not read again.
    /// - Parameter damaged: references that need not be readable.
    /// - Throws: `StoreError` with code `damaged` for any other reference that cannot be read, for it may keep anything. Remembered stages
    ///   keep nothing by themselves.
    init(_ store: Store, after old: CollectionGraph? = nil, passingOver damaged: Set<Reachability.Name> = []) throws {
        for kind in try store.referenceKinds() {
            for name in try store.references.names(kind: kind) {
                do {
                    if let reference = try store.references.read(kind: kind, name: name) { references.append(reference) }
                } catch let error as StoreError
                    where error.isDamage && (!StoreConventions.keeps(kind) || damaged.contains(.init(kind: kind, name: name)))
                {
                    continue
                }
            }
        }
        held = try StagingSession.held(staging: store.layout.staging, files: store.files)
        for digest in try store.manifestReader.storage.list(prefix: "") {
            if let node = old?.nodes[digest] { nodes[digest] = node } else { try read(digest, store) }
        }
        for digest in try store.blobReader.storage.list(prefix: "") {
            let path = LocalBlobStorage(root: store.layout.blobs, files: store.files, session: nil).path(of: digest)
            guard let status = try store.files.status(path) else { continue }
            if let known = old?.blobs[digest], known.changed == status.changed, known.byteCount == status.byteCount {
                blobs[digest] = known
                continue
            }
            var base: Digest?
            do { base = try store.files.openFile(path).flatMap { try BlobHeader(of: $0, name: path) }?.base }
            // A file that is no regular one, or whose header is not right, needs no base that anybody could know. One that cannot be
            // read just now may need one.
            catch let error as StoreError where error.isDamage {}
            blobs[digest] = Blob(byteCount: status.byteCount, changed: status.changed, base: base)
        }
    }

    /// Whether a manifest is there, readable or not.
    func has(_ digest: Digest) -> Bool { nodes[digest] != nil || unreadable[digest] != nil }

    private mutating func read(_ digest: Digest, _ store: Store) throws {
        let path = LocalBlobStorage(root: store.layout.artifacts, files: store.files, session: nil).path(of: digest)
        guard let status = try store.files.status(path) else { return }
        do { nodes[digest] = Node(try store.artifact(digest), status) } catch let error as StoreError {
            if error.code == .notFound { return }
            if error.code == .inputOutput { throw error }
            unreadable[digest] = (error, status.byteCount)
        }
    }
}

extension CollectionGraph.Node {
    init(_ artifact: Artifact, _ status: FileStatus) {
        kind = artifact.kind
        created = status.modified
        byteCount = status.byteCount
        blobs = Set(artifact.blobs.map(\.digest))
        inputs = Set(artifact.provenance.inputs.values)
        mentions = artifact.attributes.digests
        parts = artifact.parts
        key = try? artifact.provenance.stageKey()
        if kind == StoreConventions.checkpointKind {
            step = artifact.attributes["state"]?["step"]?.integerValue
            bestStep = artifact.attributes["state"]?["best_step"]?.integerValue
        }
    }
}

extension JSONValue {
    /// Every string in it that is a digest.
    var digests: Set<Digest> {
        switch self {
        case .string(let text): Digest(text).map { [$0] } ?? []
        case .array(let values): values.reduce(into: []) { $0.formUnion($1.digests) }
        case .object(let members): members.values.reduce(into: []) { $0.formUnion($1.digests) }
        default: []
        }
    }
}
