import Store
import Synchronization

/// Where the contents that a foreign manifest names can be had.
protocol OCISource: Sendable {
    var place: String { get }
    /// A small content, whole.
    func content(_ descriptor: OCIDescriptor) throws -> [UInt8]
    /// Completes a file with a content, from where the file ends.
    func fill(_ file: PartialFile, _ descriptor: OCIDescriptor, progress: @escaping @Sendable (Int) -> Void) throws
}

/// A foreign manifest and how it becomes artifacts here.
struct Arrival {
    /// Of all store manifests together.
    static let largestManifests = 256 << 20

    let manifest: OCIManifest
    let source: any OCISource
    let root: Digest

    /// The name that the artifact was sent under; nil if it is none.
    var name: String? { manifest.annotations[Annotation.name].flatMap { ReferenceName.isValid(name: $0) ? $0 : nil } }

    init(_ manifest: OCIManifest, from source: any OCISource) throws {
        (self.manifest, self.source) = (manifest, source)
        guard let root = manifest.root else {
            throw OCIManifest.fault(
                "an annotation '\(Annotation.artifact)'",
                manifest.artifactType.isEmpty ? "none" : RemoteError.printable(manifest.artifactType))
        }
        self.root = root
    }

    /// Takes everything that is not here into the store; the artifacts appear when all their blobs are there.
    func take(into store: Store, lineage: Bool, _ context: TransferContext) throws -> (closure: ArtifactClosure, report: TransferReport) {
        let receiver = try store.receiver()
        var report = TransferReport()
        var manifests: [Digest: [UInt8]] = [:]
        let layers = Dictionary(
            manifest.layers.filter { $0.mediaType == MediaType.storeManifest }.map { ($0.digest, $0) }) { first, _ in first }
        guard layers.values.reduce(0, { $0.addingReportingOverflow($1.size).partialValue }) <= Self.largestManifests,
            layers.values.allSatisfy({ $0.size <= Self.largestManifests })
        else { throw OCIManifest.fault("at most \(Self.largestManifests) bytes of store manifests", "more") }
        // Only what can be reached from the root is fetched at all.
        let closure = try ArtifactClosure(of: root, lineage: lineage) { digest in
            guard let layer = layers[digest] else { return nil }
            if context.isCancelled() { throw TransferInterrupted() }
            if try store.contains(artifact: digest), let known = try? store.artifact(digest) {
                manifests[digest] = try known.manifest()
                return known
            }
            let bytes = try source.content(layer)
            manifests[digest] = bytes
            return try ArtifactReceiver.parse(manifest: bytes, of: digest)
        }
        guard closure.artifacts.last?.artifact.kind == manifest.annotations[Annotation.kind] else {
            throw OCIManifest.fault("the kind of its artifact as annotation '\(Annotation.kind)'", "another")
        }
        let plan = try BlobPlan(closure, manifest)
        let total = plan.blobs.reduce(0) { $0 + $1.layer.size }
        let done = Mutex(0)
        for (blob, layer) in plan.blobs {
            if context.isCancelled() { throw TransferInterrupted() }
            if try receiver.has(blob.digest, plainByteCount: blob.blobByteCount) {
                report.skippedBlobCount += 1
                report.skippedBytes += layer.size
                let sum = done.withLock { $0 += layer.size; return $0 }
                context.progress(sum, total)
                continue
            }
            let kept = try fetch(blob, layer, receiver) { count in
                let sum = done.withLock { $0 += count; return $0 }
                context.progress(sum, total)
            }
            done.withLock { $0 += kept }
            report.movedBlobCount += 1
            report.movedBytes += layer.size - kept
            report.skippedBytes += kept
        }
        for (digest, _) in closure.artifacts {
            let bytes = manifests[digest]!
            if try receiver.commit(bytes, of: digest) { report.movedBytes += bytes.count } else { report.skippedBytes += bytes.count }
            report.artifactCount += 1
        }
        return (closure, report)
    }

    /// - Returns: the bytes that an earlier attempt had left.
    private func fetch(
        _ blob: BlobReference, _ layer: OCIDescriptor, _ receiver: ArtifactReceiver, _ progress: @escaping @Sendable (Int) -> Void
    ) throws -> Int {
        let file = try receiver.partialFile(key: layer.digest)
        var kept = min(file.byteCount, layer.size)
        while true {
            do {
                try source.fill(file, layer, progress: progress)
                try receiver.accept(file, as: blob.digest, plainByteCount: blob.blobByteCount)
                return kept
            } catch let error as StoreError where error.isDamage {
                // The remains of an earlier attempt may be to blame; then a fresh one decides.
                guard kept == 0 else {
                    kept = 0
                    continue
                }
                throw RemoteError(
                    .wrongContent, operation: "take a blob from elsewhere", place: source.place,
                    expected: "\(blob.digest)", found: "other bytes (\(error.found ?? "damaged"))",
                    advice: "the other side's copy is damaged: push it there again from a store that has it whole")
            }
        }
    }
}

/// Which layer holds which blob of a closure, sizes checked before anything is fetched.
private struct BlobPlan {
    var blobs: [(blob: BlobReference, layer: OCIDescriptor)] = []

    init(_ closure: ArtifactClosure, _ manifest: OCIManifest) throws {
        var layers: [Digest: OCIDescriptor] = [:]
        for layer in manifest.layers where layer.mediaType == MediaType.blob {
            guard let digest = layer.annotations[Annotation.plainDigest].flatMap({ Digest($0) }) else {
                throw OCIManifest.fault("an annotation '\(Annotation.plainDigest)' of each blob", "none")
            }
            layers[digest] = layer
        }
        var seen: Set<Digest> = []
        for (_, artifact) in closure.artifacts {
            for blob in artifact.blobs where seen.insert(blob.digest).inserted {
                guard let layer = layers[blob.digest] else {
                    throw OCIManifest.fault("a layer for blob \(blob.digest.short)", "none")
                }
                guard layer.size <= ArtifactReceiver.largestEncoding(of: blob.blobByteCount),
                    layer.annotations[Annotation.plainSize] == String(blob.blobByteCount)
                else {
                    throw OCIManifest.fault("a layer that fits \(blob.blobByteCount) bytes", "one of \(layer.size) bytes")
                }
                blobs.append((blob, layer))
            }
        }
    }
}
