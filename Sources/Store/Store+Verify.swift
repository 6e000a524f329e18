import Dispatch
import Foundation
import Synchronization

extension Store {
    /// Reads everything again: every byte of blobs, manifests and references, and whether what they name is there.
    ///
    /// Never looks at the index for its findings. Damage is reported, not thrown; what is thrown are failures to read
    /// at all.
    public func verify(progress: @Sendable (VerificationProgress) -> Void = { _ in }) throws -> VerificationReport {
        var report = VerificationReport()
        let (blobs, strayBlobs) = try inventory(layout.blobs)
        let (manifests, strayManifests) = try inventory(layout.artifacts)
        report.notes = (strayBlobs + strayManifests).map { "\($0) does not belong here" }
        let total = blobs.values.reduce(0, +) + manifests.values.reduce(0, +)
        var faults: [String: String] = [:]

        var artifacts: [Digest: Artifact] = [:]
        for (digest, byteCount) in manifests {
            report.byteCount += byteCount
            do { artifacts[digest] = try artifact(digest) } catch let error as StoreError {
                faults[Self.path("artifacts", digest)] = error.description
            }
        }
        let badBlobs = checkBlobs(blobs, done: report.byteCount, total: total, progress)
        for (digest, reason) in badBlobs { faults[Self.path("blobs", digest)] = reason }
        let deltas = blameBases(blobs, badBlobs, &faults)
        report.byteCount = total

        // Blobs that a manifest names and that are missing, or of another length than it says.
        var users: [Digest: Set<Digest>] = [:]
        for (digest, artifact) in artifacts {
            for blob in artifact.blobs {
                users[blob.digest, default: []].insert(digest)
                if let base = deltas[blob.digest] { users[base, default: []].insert(digest) }
                let path = Self.path("blobs", blob.digest)
                if faults[path] != nil { continue }
                if blobs[blob.digest] == nil {
                    faults[path] = "missing"
                } else if let found = try? blobReader.facts(blob.digest)?.plainByteCount, found != blob.blobByteCount {
                    faults[path] = "\(found) bytes, where a manifest says \(blob.blobByteCount)"
                }
            }
        }

        // References: their own bytes, then what they stand for.
        var names: [Digest: [String]] = [:]
        for kind in try referenceKinds() {
            for name in try references.names(kind: kind) {
                report.referenceCount += 1
                do {
                    guard let reference = try references.read(kind: kind, name: name) else { continue }
                    names[reference.digest, default: []].append("\(kind)/\(name)")
                    let path = Self.path("artifacts", reference.digest)
                    if manifests[reference.digest] == nil, faults[path] == nil { faults[path] = "missing" }
                } catch let error as StoreError {
                    var problem = VerificationReport.Problem(path: "refs/\(kind)/\(name)", reason: error.description)
                    problem.references = ["\(kind)/\(name)"]
                    report.problems.append(problem)
                }
            }
        }

        let lineage = Lineage(artifacts)
        for (path, reason) in faults {
            var problem = VerificationReport.Problem(path: path, reason: reason)
            guard let digest = Digest(hex: path.split(separator: "/").suffix(2).joined()) else { continue }
            let hit = path.hasPrefix("artifacts") ? [digest] : Array(users[digest] ?? [])
            problem.artifacts = hit.sorted()
            problem.references = hit.flatMap { names[$0] ?? [] }.sorted()
            problem.dependents = lineage.descendants(of: hit).sorted()
            report.problems.append(problem)
        }
        report.problems.sort { $0.path < $1.path }
        report.blobCount = blobs.count
        report.artifactCount = manifests.count
        if mode == .readWrite, try !index.isIntact() {
            report.notes.append("the index was damaged and has been made anew")
            try index.rebuild()
        }
        return report
    }

    /// Moves the fault of a delta that is whole itself to its base; returns the base of every delta.
    private func blameBases(
        _ blobs: [Digest: Int], _ bad: [Digest: String], _ faults: inout [String: String]
    ) -> [Digest: Digest] {
        var bases: [Digest: Digest] = [:]
        for digest in blobs.keys { bases[digest] = (try? blobReader.facts(digest))?.base }
        for (digest, base) in bases {
            let isHit = bad[digest] != nil
            if blobs[base] == nil { faults[Self.path("blobs", base)] = "missing" }
            if isHit, blobs[base] == nil || bad[base] != nil, (try? blobReader.verifyEncoding(digest)) != nil {
                faults[Self.path("blobs", digest)] = nil
            }
        }
        return bases
    }

    private static func path(_ area: String, _ digest: Digest) -> String {
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

    private func checkBlobs(
        _ blobs: [Digest: Int], done: Int, total: Int, _ progress: @Sendable (VerificationProgress) -> Void
    ) -> [Digest: String] {
        let sorted = blobs.sorted { $0.value > $1.value }
        let state = Mutex((bad: [Digest: String](), done: done))
        DispatchQueue.concurrentPerform(iterations: sorted.count) { index in
            let (digest, byteCount) = sorted[index]
            var reason: String?
            do { try blobReader.verify(digest) } catch { reason = "\(error)" }
            let sum = state.withLock { state in
                state.bad[digest] = reason
                state.done += byteCount
                return state.done
            }
            progress(VerificationProgress(checkedBytes: sum, totalBytes: total))
        }
        return state.withLock { $0.bad }
    }
}

/// Who was made from whom.
struct Lineage {
    private var children: [Digest: Set<Digest>] = [:]

    init(_ artifacts: [Digest: Artifact]) {
        for (digest, artifact) in artifacts {
            for input in artifact.provenance.inputs.values { children[input, default: []].insert(digest) }
        }
    }

    /// Everything made from `roots`, directly or through others, without the roots.
    func descendants(of roots: [Digest]) -> Set<Digest> {
        var found: Set<Digest> = []
        var waiting = roots
        while let digest = waiting.popLast() {
            for child in children[digest] ?? [] where found.insert(child).inserted { waiting.append(child) }
        }
        return found.subtracting(roots)
    }
}
