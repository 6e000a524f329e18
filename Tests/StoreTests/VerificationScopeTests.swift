import Foundation
import Synchronization
import Testing

@testable import Store

@Suite struct VerificationScopeTests {
    private let folder: TemporaryFolder
    private let store: Store
    private let digest: Digest

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.open()
        var generator = SeededGenerator(seed: 400)
        var ranges: [String: [UInt8]] = [:]
        for index in 0..<30 { ranges["\(index)"] = generator.bytes(66_000) }
        digest = try store.save(ranges, kind: "run")
        try store.setReference(kind: "run", name: "r", to: digest)
    }

    private func damage(_ blob: Digest) throws {
        let url = folder.store.appending(path: Store.path("blobs", blob))
        var data = try Data(contentsOf: url)
        data[9] ^= 1
        try data.write(to: url)
    }

    @Test func `a sample reads about its share, and other seeds read others`() throws {
        var seen: Set<Int> = []
        for seed in UInt64(0)..<20 {
            let report = try store.verify(.sample(share: 0.5, seed: seed))
            #expect(report.isClean && !report.isComplete)
            #expect((6...24).contains(report.checkedBlobCount))
            #expect(try store.verify(.sample(share: 0.5, seed: seed)).byteCount == report.byteCount)
            seen.insert(report.byteCount)
        }
        #expect(seen.count > 4)
        #expect(try store.verify(.sample(share: 1, seed: 0)).isComplete)
        let victim = try #require(try store.artifact(digest).blobs.first).digest
        try damage(victim)
        let found = try (UInt64(0)..<20).filter { try !store.verify(.sample(share: 0.5, seed: $0)).isClean }.count
        #expect((3...17).contains(found))
        #expect(try store.verify(.sample(share: 1, seed: 0)).problems.first?.runs == [digest])
    }

    @Test func `portions go on where the last one ended, in any process, and remember what they found`() throws {
        let blobs = try Set(store.artifact(digest).blobs.map(\.digest)).sorted()
        try damage(blobs[2])
        var counts: [Int] = []
        var report = try folder.open().verify(.portion(byteCount: 700_000))
        #expect(report.problems.map(\.path) == [Store.path("blobs", blobs[2])])
        // The position is known to whoever comes next; one that cannot be read begins anew.
        let whole = try Data(contentsOf: folder.store.appending(path: "verification.json"))
        while !report.isComplete {
            counts.append(report.checkedBlobCount)
            report = try folder.open().verify(.portion(byteCount: 700_000))
            #expect(report.problems.map(\.path) == [Store.path("blobs", blobs[2])], "told again until the round is over")
        }
        counts.append(report.checkedBlobCount)
        // Later portions look at the damaged one again.
        #expect(counts.count >= 3 && counts.reduce(0, +) == blobs.count + counts.count - 1, "\(counts)")
        #expect(!FileManager.default.fileExists(atPath: folder.store.appending(path: "verification.json").path()))
        try Data(whole.dropLast(3)).write(to: folder.store.appending(path: "verification.json"))
        #expect(try store.verify(.portion(byteCount: 700_000)).checkedBlobCount == counts[0])
        #expect(try code { _ = try folder.open(.readOnly).verify(.portion(byteCount: 1)) } == .readOnly)
    }

    @Test func `a mended blob is clean in the next portion`() throws {
        let blobs = try store.artifact(digest).blobs.map(\.digest).sorted()
        let url = folder.store.appending(path: Store.path("blobs", blobs[0]))
        let whole = try Data(contentsOf: url)
        try damage(blobs[0])
        #expect(try !store.verify(.portion(byteCount: 1)).isClean)
        try whole.write(to: url)
        #expect(try store.verify(.portion(byteCount: 1)).isClean)
    }

    @Test func `a portion that is stopped keeps what it did`() throws {
        let calls = Mutex(0)
        let report = try store.verify(.portion(byteCount: .max), isCancelled: {
            calls.withLock { calls in
                calls += 1
                return calls > 5
            }
        })
        #expect(!report.isComplete)
        #expect(try store.verify(.portion(byteCount: .max)).isComplete)
    }

    @Test func `what a collection takes away meanwhile is no damage`() throws {
        let other = try folder.open().save(["a": SeededGenerator(seed: 401).withBytes(66_000)])
        let collected = Mutex(false)
        let report = try store.verify(.everything) { _ in
            let isFirst = collected.withLock { done in
                defer { done = true }
                return !done
            }
            if isFirst { _ = try? folder.open().collect(patience: 0) }
        }
        #expect(report.problems == [])
        #expect(try code { _ = try store.artifact(other) } == .notFound)
    }
}
