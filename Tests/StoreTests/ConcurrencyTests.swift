import Dispatch
import Foundation
import Synchronization
import Testing

@testable import Store

/// Several stores over one folder, as several processes would have them: the locks belong to open files, not to
/// processes.
@Suite struct ConcurrencyTests {
    @Test func `saving the same thing at once gives one artifact`() throws {
        let folder = try TemporaryFolder()
        var generator = SeededGenerator(seed: 70)
        let ranges = ["a": generator.bytes(300_000), "b": generator.weights(40_000), "c": generator.bytes(10)]
        let digests = Mutex<Set<Digest>>([])
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            do {
                let digest = try folder.open().save(ranges)
                _ = digests.withLock { $0.insert(digest) }
            } catch { failures.withLock { $0.append("\(error)") } }
        }
        #expect(failures.withLock { $0 } == [])
        let digest = try #require(digests.withLock { $0.count == 1 ? $0.first : nil })
        #expect(try folder.open().load(digest) == ranges)
        #expect(try folder.contentFiles().count == 4)
        #expect(try folder.open().verify().isClean)
    }

    @Test func `saving, naming, listing and reading at once loses nothing`() throws {
        let folder = try TemporaryFolder()
        let failures = Mutex<[String]>([])
        let saved = Mutex<[Digest: [String: [UInt8]]]>([:])
        DispatchQueue.concurrentPerform(iterations: 6) { worker in
            do {
                let store = try folder.open()
                var generator = SeededGenerator(seed: UInt64(worker % 3))
                for round in 0..<8 {
                    let ranges = ["own": generator.bytes(70_000), "round": [UInt8(round)]]
                    let digest = try store.save(ranges)
                    saved.withLock { $0[digest] = ranges }
                    try store.setReference(kind: "model", name: "last", to: digest, replace: true)
                    try store.setReference(kind: "model", name: "w\(worker)-\(round)", to: digest)
                    _ = try store.list()
                    let known = saved.withLock { $0 }
                    for (digest, ranges) in known.prefix(3) where try store.load(digest) != ranges {
                        failures.withLock { $0.append("other bytes") }
                    }
                }
            } catch { failures.withLock { $0.append("\(error)") } }
        }
        #expect(failures.withLock { $0 } == [])
        let store = try folder.open()
        #expect(try store.verify().isClean)
        #expect(try store.references(kind: "model").count == 6 * 8 + 1)
        #expect(try Set(store.list().map(\.digest)) == Set(saved.withLock { $0.keys }))
        let history = try #require(try store.reference(kind: "model", name: "last")).history
        // Every replacement is in the history; setting the same digest again is none.
        #expect(history.count >= 23)
    }

    @Test func `several threads add to one artifact`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        var ranges: [String: [UInt8]] = [:]
        var generator = SeededGenerator(seed: 71)
        for index in 0..<40 { ranges["\(index)"] = generator.bytes(index % 2 == 0 ? 100 : 70_000) }
        let sorted = ranges.sorted { $0.key < $1.key }
        let writer = try store.writer()
        DispatchQueue.concurrentPerform(iterations: sorted.count) { index in
            try? writer.add(name: sorted[index].key, data: sorted[index].value)
        }
        let digest = try writer.commit(kind: "model", provenance: .example)
        #expect(try store.load(digest) == ranges)
        #expect(try store.save(ranges) == digest)
    }

    @Test func `a writer keeps collection away for as long as it lives`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        let files = LocalFileSystem()
        func isFree() throws -> Bool {
            try files.lock(store.layout.collectionLock, exclusive: true, wait: false) != nil
        }
        #expect(try isFree())
        var writer: ArtifactWriter? = try store.writer()
        #expect(try !isFree())
        try writer?.add(name: "a", data: [1])
        writer = nil
        #expect(try isFree())
        let other = try store.writer()
        try other.commit(kind: "model", provenance: .example)
        #expect(try isFree())
    }
}
