extension Store {
    /// Reads everything again: every byte of blobs, manifests and references, and whether what they name is there.
    ///
    /// Never looks at the index for its findings. Damage is reported, not thrown; what is thrown are failures to read
    /// at all. Others may write and collect meanwhile: what they removed while this looked is no damage.
    ///
    /// - Parameter isCancelled: asked between blobs; true ends the reading. A portion keeps its position, and the report
    ///   says that it is not complete.
    public func verify(
        _ scope: VerificationScope = .everything, progress: @Sendable (VerificationProgress) -> Void = { _ in },
        isCancelled: @Sendable () -> Bool = { false }
    ) throws -> VerificationReport {
        var report = VerificationReport()
        // Blobs after manifests: a manifest that is listed has its blobs in place already.
        let (manifests, strayManifests) = try inventory(layout.artifacts)
        let (blobs, strayBlobs) = try inventory(layout.blobs)
        report.notes = (strayBlobs + strayManifests).map { "\($0) does not belong here" }
        report.totalByteCount = blobs.values.reduce(0, +) + manifests.values.reduce(0, +)
        var faults: [String: String] = [:]

        var artifacts: [Digest: Artifact] = [:]
        for (digest, byteCount) in manifests {
            report.byteCount += byteCount
            do { artifacts[digest] = try artifact(digest) } catch let error as StoreError {
                faults[Self.path("artifacts", digest)] = error.fact
            }
        }
        let bad = try readBlobs(scope, blobs, &report, isCancelled, progress)
        for (digest, reason) in bad { faults[Self.path("blobs", digest)] = reason }
        let bases = blameBases(blobs, bad, &faults)
        let users = blobUsers(artifacts, blobs, bases, &faults)
        let names = try readReferences(manifests, &report, &faults)
        let holders = try holders(artifacts, manifests, &faults)
        let lineage = Lineage(artifacts)
        for (path, reason) in faults {
            var problem = VerificationReport.Problem(path: path, reason: reason)
            guard let digest = Digest(hex: path.split(separator: "/").suffix(2).joined()),
                var hit = try stillHit(digest, reason, isManifest: path.hasPrefix("artifacts"), users, names, holders)
            else { continue }
            // What is nothing without them is hit, too.
            hit = Array(Set(hit).union(hit.flatMap { holders[$0] ?? [] }))
            problem.artifacts = hit.sorted()
            problem.references = hit.flatMap { names[$0] ?? [] }.sorted()
            problem.dependents = lineage.descendants(of: hit).sorted()
            problem.runs = (problem.artifacts + problem.dependents).filter { digest in
                // Of one that cannot be read only the name says what it was.
                artifacts[digest].map { $0.kind == StoreConventions.runKind }
                    ?? names[digest]?.contains { $0.hasPrefix(StoreConventions.runKind + "/") } ?? false
            }.sorted()
            report.problems.append(problem)
        }
        report.problems.sort { $0.path < $1.path }
        report.blobCount = blobs.count
        report.artifactCount = manifests.count
        try checkRest(&report)
        return report
    }

    /// The retention, and the index, which is made anew when SQLite finds it damaged.
    private func checkRest(_ report: inout VerificationReport) throws {
        do { _ = try retention() } catch let error as StoreError where error.isDamage {
            report.problems.append(.init(path: "retention.json", reason: error.fact))
        }
        if mode == .readWrite, try !index.isIntact() {
            report.notes.append("the index was damaged and has been made anew")
            try index.rebuild()
        }
        let trash = try trash.contents()
        if trash.count > 0 { report.notes.append("\(trash.count) files lie in the trash; the next collection removes them") }
    }

    // MARK: What is hit

    /// Moves the fault of a delta that is whole itself to its base; the base of every delta.
    private func blameBases(
        _ blobs: [Digest: Int], _ bad: [Digest: String], _ faults: inout [String: String]
    ) -> [Digest: Digest] {
        var bases: [Digest: Digest] = [:]
        for digest in blobs.keys {
            guard let file = try? blobReader.storage.open(digest) else { continue }
            bases[digest] = (try? BlobHeader(of: file, name: Self.path("blobs", digest)))?.base
        }
        for (digest, base) in bases {
            if blobs[base] == nil { faults[Self.path("blobs", base)] = Self.missing }
            if bad[digest] != nil, blobs[base] == nil || bad[base] != nil, (try? blobReader.verifyEncoding(digest)) != nil {
                faults[Self.path("blobs", digest)] = nil
            }
        }
        return bases
    }

    /// Who needs each blob, itself or as the base of another, and faults for blobs that a manifest names and that are missing, or of
    /// another length than it says.
    private func blobUsers(
        _ artifacts: [Digest: Artifact], _ blobs: [Digest: Int], _ bases: [Digest: Digest], _ faults: inout [String: String]
    ) -> [Digest: Set<Digest>] {
        var users: [Digest: Set<Digest>] = [:]
        for (digest, artifact) in artifacts {
            for blob in artifact.blobs {
                users[blob.digest, default: []].insert(digest)
                if let base = bases[blob.digest] { users[base, default: []].insert(digest) }
                let path = Self.path("blobs", blob.digest)
                if faults[path] != nil { continue }
                if blobs[blob.digest] == nil {
                    faults[path] = Self.missing
                } else if let found = try? blobReader.facts(blob.digest)?.plainByteCount, found != blob.blobByteCount {
                    faults[path] = "\(found) bytes, where a manifest says \(blob.blobByteCount)"
                }
            }
        }
        return users
    }

    /// Who has each artifact as a part, and faults for parts that are missing.
    private func holders(
        _ artifacts: [Digest: Artifact], _ manifests: [Digest: Int], _ faults: inout [String: String]
    ) throws -> [Digest: Set<Digest>] {
        var holders: [Digest: Set<Digest>] = [:]
        for (digest, artifact) in artifacts {
            for part in artifact.parts {
                holders[part, default: []].insert(digest)
                let path = Self.path("artifacts", part)
                if manifests[part] == nil, faults[path] == nil, try !manifestReader.storage.isThere(part) { faults[path] = Self.missing }
            }
        }
        return holders
    }

    // MARK: References

    /// The names of each artifact; references that are damaged or stand for nothing become problems and faults.
    private func readReferences(
        _ manifests: [Digest: Int], _ report: inout VerificationReport, _ faults: inout [String: String]
    ) throws -> [Digest: [String]] {
        var names: [Digest: [String]] = [:]
        for kind in try referenceKinds() {
            for name in try references.names(kind: kind) {
                report.referenceCount += 1
                do {
                    guard let reference = try references.read(kind: kind, name: name) else { continue }
                    names[reference.digest, default: []].append("\(kind)/\(name)")
                    let path = Self.path("artifacts", reference.digest)
                    // One that is not in the list may have been written since.
                    if manifests[reference.digest] == nil, faults[path] == nil,
                        try manifestReader.storage.open(reference.digest) == nil
                    {
                        faults[path] = Self.missing
                    }
                } catch let error as StoreError {
                    var problem = VerificationReport.Problem(path: "refs/\(kind)/\(name)", reason: error.fact)
                    problem.references = ["\(kind)/\(name)"]
                    report.problems.append(problem)
                }
            }
        }
        return names
    }

    /// The artifacts that a fault hits; nil if the file was removed by a collection while this looked, so that there is no fault.
    private func stillHit(
        _ digest: Digest, _ reason: String, isManifest: Bool, _ users: [Digest: Set<Digest>], _ names: [Digest: [String]],
        _ holders: [Digest: Set<Digest>]
    ) throws -> [Digest]? {
        if isManifest {
            if try manifestReader.storage.isThere(digest) {
                // One that was collected and saved again while this looked reads whole now.
                do { _ = try artifact(digest) } catch is StoreError { return [digest] }
                return nil
            }
            if try holders[digest]?.contains(where: { try manifestReader.storage.isThere($0) }) == true { return [digest] }
            for name in names[digest] ?? [] {
                let parts = name.split(separator: "/").map(String.init)
                do {
                    if try reference(kind: parts[0], name: parts[1])?.digest == digest { return [digest] }
                } catch let error as StoreError where error.isDamage { continue }
            }
            return nil
        }
        let hit = try (users[digest] ?? []).filter { try manifestReader.storage.isThere($0) }
        if try blobReader.storage.isThere(digest) { return reason == Self.missing ? nil : Array(users[digest] ?? []) }
        return hit.isEmpty ? nil : Array(hit)
    }

    static let missing = "missing"

    static func path(_ area: String, _ digest: Digest) -> String {
        "\(area)/sha256/\(digest.hex.prefix(2))/\(digest.hex.dropFirst(2))"
    }

    /// The files under a root by digest with their lengths, and the paths of whatever else lies there.
    private func inventory(_ root: String) throws -> (files: [Digest: Int], strays: [String]) {
        var found: [Digest: Int] = [:]
        var strays: [String] = []
        for folder in try files.list(root) ?? [] {
            guard try files.status("\(root)/\(folder)")?.kind == .directory else {
                strays.append("\(root)/\(folder)")
                continue
            }
            for name in try files.list("\(root)/\(folder)") ?? [] {
                let path = "\(root)/\(folder)/\(name)"
                if folder.utf8.count == 2, let digest = Digest(hex: folder + name) {
                    // A file that vanished since it was listed was removed by somebody else.
                    if let status = try files.status(path) { found[digest] = status.byteCount }
                } else {
                    strays.append(path)
                }
            }
        }
        return (found, strays)
    }
}

extension BlobStorage {
    /// Whether there is anything in the place of a digest, readable or not.
    func isThere(_ digest: Digest) throws -> Bool {
        do { return try open(digest) != nil } catch let error as StoreError where error.isDamage { return true }
    }
}
