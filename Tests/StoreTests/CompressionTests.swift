import Foundation
import Synchronization
import Testing

@testable import Store

/// Encoding anew what was written fast.
@Suite struct CompressionTests {
    private let folder: TemporaryFolder
    private let store: Store
    private let texts = (0..<3).map { seed in Array((0..<20_000).map { "line \($0 % (977 + seed)) of many\n" }.joined().utf8) }

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.open()
    }

    private func save() throws -> Artifact {
        let writer = try store.writer(effort: .fast)
        for (index, text) in texts.enumerated() { try writer.add(name: "text\(index)", data: text) }
        return try store.artifact(writer.commit(kind: "model", provenance: .example))
    }

    @Test func `saves what it says, each blob once`() throws {
        let artifact = try save()
        let before = try store.usage().storedBytes
        let seen = Mutex<[Int]>([])
        let report = try store.compress([artifact, artifact], effort: .strong, progress: { done in seen.withLock { $0.append(done.doneBytes) } })
        #expect(report.isComplete && report.blobCount == 3 && report.smallerCount == 3)
        #expect(report.totalBytes == texts.reduce(0) { $0 + $1.count })
        #expect(seen.withLock { $0.last } == report.totalBytes && seen.withLock { $0.count } == 3)
        #expect(try before - store.usage().storedBytes == report.savedBytes && report.savedBytes > 0)
        #expect(try store.compress([artifact], effort: .strong).savedBytes == 0)
        for (index, text) in texts.enumerated() { #expect(Array(try store.data(artifact.blob("text\(index)")!)) == text) }
    }

    @Test func `a cancelled one leaves whole blobs, old or new`() throws {
        let artifact = try save()
        for limit in 0..<12 {
            let asked = Mutex(0)
            let report = try store.compress([artifact], effort: .strong, isCancelled: {
                asked.withLock { asked in
                    asked += 1
                    return asked > limit
                }
            })
            #expect(report.isComplete == (asked.withLock { $0 } <= limit), "\(limit)")
            #expect(report.isComplete == (report.doneBytes == report.totalBytes))
            #expect(try store.verify().isClean, "\(limit)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: store.layout.staging).count == 1)
        }
        #expect(try store.compress([artifact], effort: .strong).savedBytes == 0)
        for (index, text) in texts.enumerated() { #expect(Array(try store.data(artifact.blob("text\(index)")!)) == text) }
    }

    @Test func `knows the checkpoints that a retention keeps`() throws {
        func checkpoint(_ step: Int64, run: Int64) throws -> Digest {
            let writer = try store.writer()
            try writer.add(name: "weights", data: SeededGenerator(seed: UInt64(step + 100 * run)).withBytes(1000))
            var provenance = Provenance.example
            provenance.recipe = ["run": .integer(run)]
            return try writer.commit(
                kind: "checkpoint", attributes: ["state": ["step": .integer(step), "best_step": 1]], provenance: provenance)
        }
        var provenance = Provenance.example
        provenance.recipe = ["run": 1]
        let key = try provenance.stageKey()
        let steps = try (1...3).map { try checkpoint($0, run: 1) }
        _ = try checkpoint(9, run: 2)
        let run = try store.save(["log": [1]], kind: "run")
        try store.setReference(kind: "run", name: "r", to: run)
        try store.memoize(key, run)
        // What this process has saved is held until it has a name.
        for (index, digest) in steps.enumerated() { try store.setReference(kind: "progress", name: key.hex, to: digest, replace: index > 0) }
        try store.removeReference(kind: "progress", name: key.hex)
        let reader = try folder.open()
        func kept() throws -> Set<Digest> { Set(try reader.keptCheckpoints(of: key).map { Digest(of: try $0.manifest()) }) }
        #expect(try kept().isEmpty)
        var retention = Retention()
        retention.lastCheckpoints = 1
        try store.setRetention(retention)
        #expect(try kept() == [steps[2]])
        retention.keepsBest = true
        try store.setRetention(retention)
        #expect(try kept() == [steps[0], steps[2]])
    }
}
