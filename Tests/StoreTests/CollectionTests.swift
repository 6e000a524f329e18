import Dispatch
import Foundation
import Synchronization
import Testing

@testable import Store

/// What a collection keeps and what goes.
@Suite struct CollectionTests {
    private let folder: TemporaryFolder
    private let store: Store

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.open()
    }

    private func bytes(_ seed: UInt64) -> [UInt8] { SeededGenerator(seed: seed).withBytes(66_000) }

    /// Saves something by a process of its own that is gone then, so that nothing holds it.
    private func save(
        _ seed: UInt64, kind: String = "model", attributes: JSONValue = [:], inputs: [String: Digest] = [:], stage: String = "import"
    ) throws -> (digest: Digest, key: Digest) {
        let other = try folder.open()
        let writer = try other.writer()
        try writer.add(name: "own", data: bytes(seed))
        var provenance = Provenance.example
        provenance.stage = stage
        provenance.recipe = ["seed": .integer(Int64(seed))]
        provenance.inputs = inputs
        return (try writer.commit(kind: kind, attributes: attributes, provenance: provenance), try provenance.stageKey())
    }

    private var present: Set<Digest> { get throws { Set(try store.list().map(\.digest)) } }

    @discardableResult
    private func collect(_ change: (inout Retention) -> Void = { _ in }) throws -> CollectionReport {
        var retention = Retention()
        retention.history = 0
        change(&retention)
        let plan = try store.collectionPlan(retention: retention)
        let report = try folder.open().collect(retention: retention, patience: 0)
        #expect(report.plan == plan, "a dry run says what happens")
        #expect(try store.verify().isClean)
        #expect(try store.collectionPlan(retention: retention).artifactCount == 0)
        return report
    }

    @Test func `what has a name stays, and what has none goes with its blobs`() throws {
        let (named, other) = (try save(1).digest, try save(2).digest)
        try store.setReference(kind: "model", name: "a", to: named)
        let before = try store.usage().storedBytes
        let plan = try store.collectionPlan()
        #expect(plan.artifacts.map(\.digest) == [other])
        #expect(plan.shares.map(\.kind) == ["model"])
        #expect(try present == [named, other], "a plan changes nothing")
        let report = try collect()
        #expect(report.removedCount == 2)
        #expect(report.removedBytes == plan.byteCount)
        #expect(try present == [named])
        #expect(try store.usage().storedBytes == before - plan.byteCount)
        #expect(try store.load(named)["own"] == bytes(1))
        #expect(try store.trash.contents().count == 0)
    }

    @Test func `shared blobs stay as long as one user does`() throws {
        let shared = bytes(3)
        let first = try folder.open().save(["shared": shared, "a": bytes(4)])
        try folder.open().save(["shared": shared, "b": bytes(5)])
        try store.setReference(kind: "model", name: "a", to: first)
        #expect(try collect().plan.blobCount == 1)
        #expect(try store.load(first)["shared"] == shared)
    }

    @Test func `the history of a name keeps as many as the retention says`() throws {
        let digests = try (10..<14).map { try save($0).digest }
        for digest in digests { try store.setReference(kind: "model", name: "a", to: digest, replace: true) }
        try collect { $0.history = 2 }
        #expect(try present == Set(digests.suffix(3)))
        try collect()
        #expect(try present == [digests[3]])
        #expect(try store.reference(kind: "model", name: "a")?.history.count == 3, "the log itself stays")
    }

    @Test func `inputs and what attributes mention stay with what was made from them`() throws {
        let base = try save(20).digest
        let data = try save(21, kind: "dataset").digest
        let model = try save(22, inputs: ["model": base, "dataset": data]).digest
        let run = try save(23, kind: "run", attributes: ["model": .string(model.description)], inputs: ["model": base]).digest
        try store.setReference(kind: "run", name: "r", to: run)
        try collect()
        #expect(try present == [base, data, model, run])
        try collect { $0.keepsLineage = false }
        #expect(try present == [model, run])
    }

    @Test func `remembering keeps results of kept things and nothing else`() throws {
        let model = try save(30)
        let result = try save(31, kind: "evaluation", inputs: ["model": model.digest], stage: "eval")
        let other = try save(32)
        let timing = try save(33, kind: "timing")
        try store.setReference(kind: "model", name: "a", to: model.digest)
        for (key, digest) in [(model.key, model.digest), (result.key, result.digest), (other.key, other.digest)] {
            try store.memoize(key, digest)
        }
        try store.setReference(kind: "timing", name: model.key.hex, to: timing.digest)
        let plan = try collect().plan
        #expect(plan.forgotten == ["stage/\(other.key.hex)"])
        #expect(try present == [model.digest, result.digest, timing.digest])
        #expect(try store.memoized(other.key) == nil)
        #expect(try store.memoized(result.key) == result.digest)
        try store.removeReference(kind: "model", name: "a")
        try collect()
        #expect(try present == [])
        #expect(try store.references(kind: "stage").isEmpty && store.references(kind: "timing").isEmpty)
    }

    @Test func `of checkpoints the resume point stays, and others as the retention says`() throws {
        func checkpoint(_ step: Int64, best: Int64, run: UInt64) throws -> Digest {
            let writer = try folder.open().writer()
            try writer.add(name: "weights", data: bytes(UInt64(step) + 100 * run))
            var provenance = Provenance.example
            provenance.recipe = ["run": .integer(Int64(run))]
            return try writer.commit(
                kind: "checkpoint", attributes: ["state": ["step": .integer(step), "best_step": .integer(best)]], provenance: provenance)
        }
        var provenance = Provenance.example
        provenance.recipe = ["run": 1]
        let key = try provenance.stageKey()
        let steps = try [(1, 1), (2, 2), (3, 2), (4, 2)].map { try checkpoint($0.0, best: $0.1, run: 1) }
        for digest in steps { try store.setReference(kind: "progress", name: key.hex, to: digest, replace: true) }
        let abandoned = try checkpoint(9, best: 9, run: 2)
        func kept(_ change: (inout Retention) -> Void) throws -> Set<Digest> {
            var retention = Retention()
            change(&retention)
            return Set(steps + [abandoned]).subtracting(try store.collectionPlan(retention: retention).artifacts.map(\.digest))
        }
        #expect(try kept { _ in } == [steps[3]], "the history of a resume point is not kept")
        #expect(try kept { $0.lastCheckpoints = 2 } == [steps[3], steps[2]])
        #expect(try kept { $0.keepsBest = true } == [steps[3], steps[1]])
        // The run is done: its resume point is gone, and it is remembered.
        let run = try folder.open().save(["log": [1]], kind: "run")
        try store.setReference(kind: "run", name: "r", to: run)
        try store.memoize(key, run)
        try store.removeReference(kind: "progress", name: key.hex)
        #expect(try kept { _ in } == [])
        #expect(try kept { ($0.lastCheckpoints, $0.keepsBest) = (1, true) } == [steps[3], steps[1]])
    }

    @Test func `spare bytes keep the newest of the rest`() throws {
        let digests = try [UInt64](40..<44).map { seed in
            let digest = try save(seed).digest
            // Two manifests in one tick of the clock have no order.
            Thread.sleep(forTimeInterval: 0.02)
            return digest
        }
        try collect { $0.spareBytes = 140_000 }
        #expect(try present == Set(digests.suffix(2)))
        try collect { $0.spareBytes = 60_000 }
        #expect(try present == [])
    }

    @Test func `what a living process holds stays until it lets go`() throws {
        let digest = try save(50).digest
        var hold: ArtifactHold? = try store.hold(digest)
        let second = try store.hold(digest)
        try collect()
        hold?.release()
        hold = nil
        try collect()
        #expect(try present == [digest])
        second.release()
        try collect()
        #expect(try present == [])
        #expect(try code { _ = try store.hold(digest) } == .notFound)
    }

    @Test func `what a living process has saved stays until it has a name or the process ends`() throws {
        var writer: Store? = try folder.open()
        let unnamed = try #require(try writer?.save(["a": bytes(60)]))
        let named = try #require(try writer?.save(["a": bytes(61)]))
        try writer?.setReference(kind: "model", name: "a", to: named)
        try writer?.memoize(Digest(of: [1]), unnamed)
        try writer?.removeReference(kind: "model", name: "a")
        try collect()
        #expect(try present == [unnamed])
        writer = nil
        _ = try folder.open()
        try collect()
        #expect(try present == [])
    }

    @Test func `a writer at work keeps everything away and an unfinished one's blobs go when it is gone`() throws {
        var writer: ArtifactWriter? = try store.writer()
        try writer?.add(name: "a", data: bytes(70))
        #expect(try code { try folder.open().collect(patience: 0) } == .busy)
        let staged = try #require(writer)
        try staged.commit(kind: "model", provenance: .example)
        writer = nil
        // A blob without a manifest, as a killed writer leaves it.
        let digest = try save(71).digest
        let manifest = folder.store.appending(path: Store.path("artifacts", digest))
        try FileManager.default.removeItem(at: manifest)
        let plan = try folder.open().collectionPlan()
        #expect(plan.shares.map(\.kind) == [nil])
        #expect(plan.blobCount == 1)
        try collect()
        #expect(try store.usage().unreferencedCount == 0)
    }

    @Test(arguments: ["name", "hold", "write"])
    func `what could be taken away is not named, held or relied on while a collection decides`(_ what: String) throws {
        let digest = try save(75).digest
        let locks = try store.leases.alone(waiting: 0)
        let isDone = Mutex(false)
        let group = DispatchGroup()
        DispatchQueue.global().async(group: group) { [folder] in
            guard let other = try? folder.open() else { return }
            switch what {
            case "name": try? other.setReference(kind: "model", name: "late", to: digest)
            case "hold": _ = try? other.hold(digest)
            default: _ = try? other.writer()
            }
            isDone.withLock { $0 = true }
        }
        #expect(group.wait(timeout: .now() + 0.3) == .timedOut)
        #expect(!isDone.withLock { $0 })
        for lock in locks { lock.release() }
        group.wait()
        #expect(isDone.withLock { $0 })
    }

    @Test func `two collections do not meet`() throws {
        let lock = try #require(try LocalFileSystem().lock(store.layout.collectorLock, exclusive: true, wait: false))
        #expect(try code { try store.collect(patience: 0) } == .busy)
        lock.release()
        try store.collect(patience: 0)
    }

    @Test func `the base of a kept difference stays`() throws {
        let digest = try save(80).digest
        try store.setReference(kind: "model", name: "a", to: digest)
        let base = try save(81).digest
        let delta = try #require(try store.artifact(digest).blobs.first).digest
        let full = try #require(try store.artifact(base).blobs.first).digest
        let header = BlobHeader(codec: 9, parameters: 0, plainByteCount: 66_000, encodedByteCount: 1, base: full, checksum: 0)
        try Data(header.bytes + [0]).write(to: folder.store.appending(path: Store.path("blobs", delta)))
        let plan = try store.collectionPlan()
        #expect(plan.artifacts.map(\.digest) == [base])
        #expect(plan.blobCount == 0)
        #expect(plan.baseCount == 1 && plan.baseBytes == 66_000)
        try folder.open().collect(patience: 0)
        #expect(try store.blobReader.storage.open(full) != nil)
        #expect(try store.blobReader.storage.open(delta) != nil)
    }

    @Test func `nothing is decided on what cannot be read`() throws {
        let digest = try save(90).digest
        let lost = try save(91).digest
        try store.setReference(kind: "model", name: "a", to: digest)
        let reference = folder.store.appending(path: "refs/model/a")
        let text = try Data(contentsOf: reference)
        try Data("rubbish".utf8).write(to: reference)
        #expect(try code { try store.collect(patience: 0) } == .damaged)
        #expect(try present == [digest, lost])
        try text.write(to: reference)
        for (victim, isNeeded) in [(digest, true), (lost, false)] {
            let url = folder.store.appending(path: Store.path("artifacts", victim))
            let manifest = try Data(contentsOf: url)
            try (manifest.dropLast() + [0]).write(to: url)
            if isNeeded {
                #expect(try code { try store.collect(patience: 0) } == .damaged)
                #expect(FileManager.default.fileExists(atPath: url.path()))
                try manifest.write(to: url)
            } else {
                try store.collect(patience: 0)
                #expect(!FileManager.default.fileExists(atPath: url.path()))
            }
        }
        #expect(try store.load(digest)["own"] == bytes(90))
    }

    @Test func `a writer takes back from the trash what it needs, with its base`() throws {
        let digest = try save(95).digest
        let blob = try #require(try store.artifact(digest).blobs.first).digest
        func takeAway() throws {
            try store.trash.prepare()
            try store.trash.take([digest], .artifacts, sync: true)
            try store.trash.take([blob], .blobs, sync: false)
        }
        try takeAway()
        #expect(try store.trash.contents().count == 2)
        #expect(try code { _ = try store.artifact(digest) } == .notFound)
        #expect(try save(95).digest == digest)
        #expect(try store.load(digest)["own"] == bytes(95))
        #expect(try store.trash.contents().count == 1, "the blob was renamed back, not written again")
        // One that vanishes between the adding and the commit.
        let writer = try store.writer()
        try writer.add(name: "own", data: bytes(95))
        try takeAway()
        try writer.commit(kind: "model", provenance: .example)
        #expect(try store.blobReader.storage.open(blob) != nil)
        #expect(try store.verify().isClean)
        // A damaged one is of no use.
        try takeAway()
        let path = folder.store.appending(path: "trash/blobs/\(blob.hex)")
        var damaged = try Data(contentsOf: path)
        damaged[100] ^= 1
        try damaged.write(to: path)
        _ = try save(95)
        #expect(try store.load(digest)["own"] == bytes(95))
    }

    @Test func `a retention is kept and any changed byte of it is noticed`() throws {
        #expect(try store.retention() == Retention())
        var retention = Retention()
        (retention.history, retention.keepsLineage, retention.lastCheckpoints) = (7, false, 3)
        (retention.keepsBest, retention.spareBytes) = (true, 1 << 40)
        try store.setRetention(retention)
        #expect(try folder.open(.readOnly).retention() == retention)
        #expect(try code { try folder.open(.readOnly).setRetention(retention) } == .readOnly)
        let url = folder.store.appending(path: "retention.json")
        let whole = try Data(contentsOf: url)
        for index in whole.indices {
            var damaged = whole
            damaged[index] ^= 1
            try damaged.write(to: url)
            #expect(throws: StoreError.self, "\(index)") { try store.collect(patience: 0) }
        }
        #expect(try store.verify().problems.map(\.path) == ["retention.json"])
        try store.setRetention(Retention())
        #expect(try store.verify().isClean)
    }

    @Test func `says what the removal of each name frees`() throws {
        let base = try save(96).digest
        let model = try save(97, inputs: ["model": base]).digest
        try store.setReference(kind: "model", name: "base", to: base)
        try store.setReference(kind: "model", name: "a", to: model)
        try store.setReference(kind: "model", name: "twin", to: model)
        let estimates = try store.removalEstimates()
        #expect(estimates.map(\.estimate.byteCount) == [0, 0, 0], "each is kept by another name")
        let both = try store.removalEstimate(of: [("model", "a"), ("model", "twin")])
        #expect(both.artifacts == ["model": 1])
        for name in ["a", "twin"] { try store.removeReference(kind: "model", name: name) }
        let report = try folder.open().collect(patience: 0)
        #expect(report.removedBytes == both.byteCount)
        #expect(try present == [base])
        #expect(try store.removalEstimates().map(\.name) == ["base"])
    }
}
