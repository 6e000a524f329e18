/// A base that stays only because kept blobs are differences from it, and those encoded in full, which together take less.
struct BaseRelease {
    struct Full {
        let digest: Digest
        /// Bytes that the full encoding takes more than the difference; negative if it is smaller.
        let growth: Int
        /// nil when it was only measured.
        let file: (any StagedFile)?
    }

    let base: Digest
    let byteCount: Int
    fileprivate(set) var deltas: [Full] = []

    var growth: Int { deltas.reduce(0) { $0 + $1.growth } }
}

extension Store {
    /// The bases that can go, with what stands for their differences then.
    ///
    /// Encoding everything in full is worth it where the base takes more than all its differences grow by. A base for which that is
    /// not so, or one that cannot be read, or has such a difference, is not among them. All of a blob and its base is in memory meanwhile.
    ///
    /// - Parameter stages: whether the full encodings are staged, synced; false only measures.
    func baseReleases(
        _ graph: CollectionGraph, _ kept: Reachability, stages: Bool, progress: (CollectionProgress) -> Void = { _ in }
    ) throws -> [BaseRelease] {
        var storage: LocalBlobStorage?
        if stages, !kept.bases.isEmpty {
            do { storage = LocalBlobStorage(root: layout.blobs, files: files, session: try writingSession()) }
            // A collection makes room, and may do more the next time.
            catch let error as StoreError where error.code == .diskFull { return [] }
        }
        var users: [Digest: [Digest]] = [:]
        for digest in kept.blobs { if let base = graph.blobs[digest]?.base { users[base, default: []].append(digest) } }
        func size(_ base: Digest) -> Int { (users[base] ?? []).reduce(0) { $0 + (graph.blobs[$1]?.byteCount ?? 0) } }
        let total = kept.bases.reduce(0) { $0 + size($1) }
        var done = 0
        return try kept.bases.sorted().compactMap { base in
            defer {
                done += size(base)
                progress(.encoded(done, of: total))
            }
            guard let file = graph.blobs[base] else { return nil }
            var release = BaseRelease(base: base, byteCount: file.byteCount)
            do {
                for digest in (users[base] ?? []).sorted() {
                    release.deltas.append(try encodeInFull(digest, before: graph.blobs[digest]!.byteCount, staging: storage))
                    guard release.growth < release.byteCount else { return nil }
                }
            } catch let error as StoreError where [.damaged, .newerFormat, .notFound, .diskFull, .inputOutput].contains(error.code) {
                // What was there stays as it is, and so does its base.
                return nil
            }
            return release
        }
    }

    private func encodeInFull(_ digest: Digest, before: Int, staging storage: LocalBlobStorage?) throws -> BaseRelease.Full {
        guard let facts = try blobReader.facts(digest), let layout = facts.layout else {
            throw StoreError(.notFound, operation: "encode a difference in full", expected: "\(digest)", found: "no difference")
        }
        let plain = try blobReader.bytes(digest, byteCount: facts.plainByteCount)
        let result = try plain.withUnsafeBytes {
            try BlobWriter.stage(
                $0, digest: digest, elementType: layout.kind.floatingPointType, shape: [1, layout.segment], effort: .standard,
                storage: storage ?? MemoryBlobStorage())
        }
        try storage?.settle(result.file)
        return .init(digest: digest, growth: result.storedByteCount - before, file: storage == nil ? nil : result.file)
    }

    /// Puts the full encodings in their places, durable before any base goes; none of the releases is left if the disk is full.
    ///
    /// A full encoding may stand for a difference whatever comes next. Nobody else writes meanwhile: what becomes full may be taken for a
    /// base from then on.
    func publish(_ releases: [BaseRelease]) throws -> [BaseRelease] {
        let staged = releases.flatMap(\.deltas).compactMap { full in full.file.map { (full.digest, $0) } }
        guard !staged.isEmpty else { return releases }
        do {
            try LocalBlobStorage(root: layout.blobs, files: files, session: nil).publish(staged, relying: [])
        } catch let error as StoreError where error.code == .diskFull { return [] }
        return releases
    }

    /// Those of the releases that are still right after a second look, which was taken while nobody writes: the base is needed by
    /// nothing else, and every difference from it that is kept was encoded, and is what it was. Of each, what is kept.
    func confirmed(
        _ releases: [BaseRelease], _ before: CollectionGraph, _ graph: CollectionGraph, _ kept: Reachability
    ) -> [BaseRelease] {
        func isSame(_ digest: Digest) -> Bool { graph.blobs[digest] != nil && graph.blobs[digest] == before.blobs[digest] }
        var users: [Digest: Set<Digest>] = [:]
        for digest in kept.blobs { if let base = graph.blobs[digest]?.base { users[base, default: []].insert(digest) } }
        return releases.compactMap { release in
            let needed = users[release.base] ?? []
            guard kept.bases.contains(release.base), isSame(release.base), needed.allSatisfy(isSame),
                needed.isSubset(of: release.deltas.map(\.digest))
            else { return nil }
            var rest = release
            rest.deltas.removeAll { !needed.contains($0.digest) }
            return rest
        }
    }
}
