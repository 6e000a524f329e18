extension Store {
    /// Looks for what a verification finds damaged or missing, and puts it back.
    ///
    /// Bytes are checked before they are written, missing blobs come before the manifest that names them, and each file is replaced in one step.
    /// Remembered stages of artifacts that stay damaged are forgotten, so that running them makes those again.
    ///
    /// - Parameter changes: false only looks, and works on a store that is only read.
    public func repair(
        from sources: [any RepairSource], changes: Bool, progress: @Sendable (VerificationProgress) -> Void = { _ in }
    ) throws -> RepairReport {
        let session = changes ? try writingSession() : nil
        let found = try verify(.everything, progress: progress)
        guard !found.isClean else { return RepairReport() }
        // Between the looking and the writing no collection may take the rest away.
        let lease = changes ? try leases.lease() : nil
        defer { lease?.release() }
        let work = try RepairWork(self, sources, session)
        let (manifests, blobs, references) = (found.digests(in: "artifacts"), found.digests(in: "blobs"), found.names)
        for digest in manifests { try work.mendManifest(digest) }
        // A reference may tell of a manifest, and that of the blobs that are needed.
        for (kind, name) in references { try work.mendReference(kind: kind, name: name) }
        for digest in blobs { try work.mendBlob(digest) }
        for problem in found.problems where problem.path == "retention.json" {
            work.report.items.append(.init(path: problem.path, outcome: .lost))
        }
        try work.listRemakes()
        if changes { try work.forgetStages() }
        work.report.items.sort { $0.path < $1.path }
        return work.report
    }
}

extension VerificationReport {
    fileprivate func digests(in area: String) -> [Digest] {
        problems.filter { $0.path.hasPrefix(area + "/") }.compactMap {
            Digest(hex: $0.path.split(separator: "/").suffix(2).joined())
        }
    }

    fileprivate var names: [(String, String)] {
        problems.filter { $0.path.hasPrefix("refs/") }.map {
            let parts = $0.path.split(separator: "/").map(String.init)
            return (parts[1], parts[2])
        }
    }
}

/// One repair at work.
private final class RepairWork {
    private let store: Store
    private let sources: [any RepairSource]
    /// nil when nothing is to be changed.
    private let session: StagingSession?
    var report = RepairReport()
    /// Manifests as they are or will be.
    private var artifacts: [Digest: Artifact] = [:]
    private var users: [Digest: [(artifact: Digest, blob: BlobReference)]] = [:]
    private var outcomes: [Digest: RepairReport.Outcome] = [:]
    private var lostManifests: [Digest] = []

    init(_ store: Store, _ sources: [any RepairSource], _ session: StagingSession?) throws {
        (self.store, self.sources, self.session) = (store, sources, session)
        for digest in try store.manifestReader.storage.list(prefix: "") {
            do { know(digest, try store.artifact(digest)) } catch let error as StoreError where error.isDamage { continue }
        }
    }

    private func know(_ digest: Digest, _ artifact: Artifact) {
        artifacts[digest] = artifact
        for blob in artifact.blobs { users[blob.digest, default: []].append((digest, blob)) }
    }

    private func storage(_ root: String) -> LocalBlobStorage {
        LocalBlobStorage(root: root, files: store.files, session: session)
    }

    // MARK: Manifests

    func mendManifest(_ digest: Digest) throws {
        guard artifacts[digest] == nil, !lostManifests.contains(digest) else { return }
        let path = Store.path("artifacts", digest)
        for source in sources {
            guard let content = try source.manifest(digest), Digest(of: content) == digest,
                let artifact = try? Artifact(manifest: content)
            else { continue }
            know(digest, artifact)
            // Nobody else may have known of its parts.
            for part in artifact.parts.sorted() { try mendManifest(part) }
            for blob in Set(artifact.blobs.map(\.digest)).sorted() where (try? store.blobReader.facts(blob)) ?? nil == nil {
                try mendBlob(blob)
            }
            if session != nil {
                let target = storage(store.layout.artifacts)
                let file = try target.stage()
                try content.withUnsafeBytes { try file.write($0, at: 0) }
                try target.publish([(digest, file)], relying: [])
            }
            report.items.append(.init(path: path, outcome: .mended(from: source.name)))
            return
        }
        lostManifests.append(digest)
        report.items.append(.init(path: path, outcome: .lost))
    }

    // MARK: Blobs

    func mendBlob(_ digest: Digest) throws {
        guard outcomes[digest] == nil else { return }
        let outcome = try outcome(digest)
        outcomes[digest] = outcome
        report.items.append(.init(path: Store.path("blobs", digest), outcome: outcome))
    }

    private func outcome(_ digest: Digest) throws -> RepairReport.Outcome {
        let users = users[digest] ?? []
        let isBase = try users.isEmpty && isBase(digest)
        guard !users.isEmpty || isBase else { return .unneeded }
        let blob = users.first?.blob
        for source in sources {
            guard let bytes = try source.blob(digest, byteCount: blob?.blobByteCount), Digest(of: bytes) == digest else { continue }
            if session != nil {
                let target = storage(store.layout.blobs)
                // A pack has elements of many types.
                let type = blob?.isPacked == false ? blob?.elementType.flatMap(ElementType.init(rawValue:)) : nil
                let staged = try bytes.withUnsafeBytes {
                    try BlobWriter.stage($0, digest: digest, elementType: type, effort: .standard, storage: target)
                }
                try target.publish([(digest, staged.file)], relying: [])
            }
            return .mended(from: source.name)
        }
        return .lost
    }

    private func isBase(_ digest: Digest) throws -> Bool {
        try store.blobReader.storage.list(prefix: "").contains { other in
            guard let file = try? store.blobReader.storage.open(other) else { return false }
            return (try? BlobHeader(of: file, name: ""))?.base == digest
        }
    }

    // MARK: References

    func mendReference(kind: String, name: String) throws {
        // A memory that cannot be read is none; forgetting it costs a computation at most.
        var outcome = StoreConventions.keeps(kind) ? RepairReport.Outcome.lost : .unneeded
        for source in sources {
            guard let reference = try source.reference(kind: kind, name: name) else { continue }
            // Nobody else may have known of the artifact.
            try mendManifest(reference.digest)
            guard artifacts[reference.digest] != nil else { continue }
            if let session {
                try store.references.set(
                    kind: kind, name: name, to: reference.digest, isReplacing: true, tool: store.tool, session: session)
            }
            outcome = .mended(from: source.name)
            break
        }
        report.items.append(.init(path: "refs/\(kind)/\(name)", outcome: outcome))
    }

    // MARK: What is left

    func listRemakes() throws {
        var names: [Digest: [String]] = [:]
        for kind in try store.referenceKinds() where StoreConventions.keeps(kind) {
            for name in try store.references.names(kind: kind) {
                if let reference = try? store.reference(kind: kind, name: name) {
                    names[reference.digest, default: []].append("\(kind)/\(name)")
                }
            }
        }
        let lost = outcomes.filter { $0.value == .lost }.keys
        var hit = Set(lost.flatMap { users[$0] ?? [] }.map(\.artifact))
        // What lacks a part is made again with it.
        for (digest, artifact) in artifacts where !artifact.parts.isDisjoint(with: hit.union(lostManifests)) { hit.insert(digest) }
        let remakes = hit.sorted().compactMap { digest in
            artifacts[digest].map { artifact in
                RepairReport.Remake(
                    digest: digest, kind: artifact.kind, names: names[digest] ?? [], provenance: artifact.provenance,
                    missingInputs: Set(artifact.provenance.inputs.values).filter { hit.contains($0) || artifacts[$0] == nil }.sorted())
            }
        }
        report.remakes = remakes.sorted { ($0.missingInputs.count, $0.digest) < ($1.missingInputs.count, $1.digest) }
        report.unknown = lostManifests.sorted()
    }

    func forgetStages() throws {
        let broken = Set(report.remakes.map(\.digest)).union(lostManifests)
        var names: [(kind: String, name: String)] = []
        for kind in try store.referenceKinds() where !StoreConventions.keeps(kind) {
            for name in try store.references.names(kind: kind) {
                do {
                    guard let reference = try store.reference(kind: kind, name: name), broken.contains(reference.digest) else { continue }
                    names.append((kind, name))
                } catch let error as StoreError where error.isDamage { names.append((kind, name)) }
            }
        }
        try store.references.remove(names)
        report.forgotten = names.map { "\($0.kind)/\($0.name)" }
    }
}
