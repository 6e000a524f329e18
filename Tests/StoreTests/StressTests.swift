import Dispatch
import Foundation
import Synchronization
import Testing

@testable import Store

/// Four workers save, read, tag, remove and collect in one folder, each with stores of its own, as processes have.
///
/// `STORE_STRESS_SECONDS` sets how long (`Tests/store/stress.sh`); without it each worker does a fixed number of rounds.
@Suite struct StressTests {
    private struct Failure: Error { let text: String }

    /// What a worker is told by its own reads: content is a function of the seed.
    private static func content(_ seed: UInt64) -> [String: [UInt8]] {
        var generator = SeededGenerator(seed: seed)
        return [
            "own": generator.bytes(66_000), "shared": SeededGenerator(seed: seed % 3).withBytes(70_000),
            "weights": generator.weights(17_000), "seed": withUnsafeBytes(of: seed.littleEndian) { Array($0) },
        ]
    }

    @Test func `saving, reading, tagging and collecting at once loses nothing that has a name`() throws {
        let folder = try TemporaryFolder()
        _ = try folder.open()
        let seconds = ProcessInfo.processInfo.environment["STORE_STRESS_SECONDS"].flatMap { Double($0) }
        let end = seconds.map { Date().addingTimeInterval($0) }
        let failures = Mutex<[String]>([])
        let collections = Mutex((done: 0, busy: 0, removed: 0))
        DispatchQueue.concurrentPerform(iterations: 4) { worker in
            var generator = SeededGenerator(seed: 900 + UInt64(worker))
            var owned: [String: UInt64] = [:]
            var round = 0
            do {
                var store = try folder.open()
                while end.map({ Date() < $0 }) ?? (round < 60) {
                    round += 1
                    // A new process now and then; the old one's locks and holds go with it.
                    if round % 7 == 0 { store = try folder.open() }
                    try Self.step(worker, round, store, &owned, &generator, collections)
                    guard failures.withLock({ $0.isEmpty }) else { return }
                }
                for (name, seed) in owned { try Self.checkName(name, seed, try folder.open()) }
            } catch { failures.withLock { $0.append("worker \(worker), round \(round): \(error)") } }
        }
        #expect(failures.withLock { $0 } == [])
        let counts = collections.withLock { $0 }
        #expect(counts.done > 0 && counts.removed > 0, "\(counts)")
        let store = try folder.open()
        #expect(try store.verify().problems == [])
        var retention = Retention()
        retention.history = 0
        try store.collect(retention: retention, patience: 0)
        #expect(try store.verify().isClean)
        let named = try Set(store.references(kind: "model").map(\.digest))
        #expect(try Set(store.list().map(\.digest)) == named)
        #expect(try store.usage().unreferencedCount == 0)
        #expect(try LocalFileSystem().list(store.layout.staging) == [])
    }

    private static func step(
        _ worker: Int, _ round: Int, _ store: Store, _ owned: inout [String: UInt64], _ generator: inout SeededGenerator,
        _ collections: borrowing Mutex<(done: Int, busy: Int, removed: Int)>
    ) throws {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<4:
            // Names of a worker's own, so that it knows what they must stand for; contents that others save, too.
            let name = "w\(worker)-\(Int.random(in: 0..<6, using: &generator))"
            let seed = UInt64.random(in: 0..<12, using: &generator)
            let digest = try store.save(content(seed))
            try store.setReference(kind: "model", name: name, to: digest, replace: true)
            owned[name] = seed
            try store.setReference(kind: "model", name: "last", to: digest, replace: true)
        case 4..<6:
            if let (name, seed) = owned.sorted(by: { $0.key < $1.key }).randomElement(using: &generator) {
                try checkName(name, seed, store)
            }
            // Somebody else's: it may go at any time, unless it is held.
            guard let other = try store.reference(kind: "model", name: "last") else { return }
            do {
                let hold = try store.hold(other.digest)
                let loaded = try store.load(other.digest)
                hold.release()
                let seed = loaded["seed"]!.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
                guard loaded == content(seed) else { throw Failure(text: "other bytes") }
            } catch let error as StoreError where error.code == .notFound { return }
        case 6:
            if let name = owned.keys.sorted().randomElement(using: &generator) {
                try store.removeReference(kind: "model", name: name)
                owned[name] = nil
            }
        case 7:
            guard let (name, seed) = owned.sorted(by: { $0.key < $1.key }).randomElement(using: &generator),
                let reference = try store.reference(kind: "model", name: name)
            else { return }
            try store.setReference(kind: "model", name: name + "-tag", to: reference.digest, replace: true)
            owned[name + "-tag"] = seed
        case 8:
            _ = try store.list()
            let report = try store.verify(.sample(share: 0.5, seed: UInt64(round)))
            guard report.isClean else { throw Failure(text: "\(report.problems)") }
        default:
            var retention = Retention()
            retention.history = Int.random(in: 0...1, using: &generator)
            do {
                let report = try store.collect(retention: retention, patience: 5)
                collections.withLock { ($0.done, $0.removed) = ($0.done + 1, $0.removed + report.removedCount) }
            } catch let error as StoreError where error.code == .busy { collections.withLock { $0.busy += 1 } }
        }
    }

    private static func checkName(_ name: String, _ seed: UInt64, _ store: Store) throws {
        guard let reference = try store.reference(kind: "model", name: name) else { throw Failure(text: "\(name) is gone") }
        guard try store.load(reference.digest) == content(seed) else { throw Failure(text: "\(name) has other bytes") }
    }
}
