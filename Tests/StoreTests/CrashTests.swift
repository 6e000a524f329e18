import Foundation
import Testing

@testable import Store

/// Saving an artifact and naming it, with something going wrong at every file operation in turn.
@Suite struct CrashTests {
    static let shared = SeededGenerator(seed: 10).withBytes(70_000)
    static let first: [String: [UInt8]] = ["shared": shared, "bias": [1, 2, 3]]
    static let second: [String: [UInt8]] = [
        "shared": shared, "bias": [4, 5, 6], "own": SeededGenerator(seed: 11).withBytes(66_000),
    ]
    static let root = URL(filePath: "/store")

    static func open(_ files: any FileSystem, at root: URL = root) throws -> Store {
        try Store(at: root, mode: .readWrite, files: files, indexIsOnDisk: false)
    }

    struct Outcome {
        var saved: Digest?
        var isNamed = false
    }

    /// The work that is disturbed: what it got done is what it was told had been done.
    static func work(_ files: any FileSystem, at root: URL = root) -> Outcome {
        var outcome = Outcome()
        do {
            let store = try open(files, at: root)
            outcome.saved = try store.save(second)
            try store.setReference(kind: "model", name: "name", to: outcome.saved!, replace: true)
            outcome.isNamed = true
        } catch {}
        return outcome
    }

    /// What must hold whatever happened.
    static func check(_ files: any FileSystem, at root: URL = root, _ old: Digest, _ outcome: Outcome, _ what: String)
        throws
    {
        let store = try open(files, at: root)
        let report = try store.verify()
        #expect(report.isClean, "\(what): \(report.problems)")
        #expect(try store.load(old) == first, "\(what)")
        if let saved = outcome.saved { #expect(try store.load(saved) == second, "\(what)") }
        let name = try #require(try store.reference(kind: "model", name: "name"), "\(what)")
        #expect(outcome.isNamed ? name.digest == outcome.saved : true, "\(what)")
        _ = try store.load(name.digest)
        // The next command succeeds.
        let again = try store.save(second)
        #expect(try store.load(again) == second, "\(what)")
        try store.setReference(kind: "model", name: "name", to: again, replace: true)
        #expect(try store.list().count == 2, "\(what)")
    }

    static func prepared() throws -> (MemoryFileSystem, Digest) {
        let disk = MemoryFileSystem()
        let store = try open(disk)
        let digest = try store.save(first)
        try store.setReference(kind: "model", name: "name", to: digest)
        return (disk, digest)
    }

    @Test(arguments: FaultyFileSystem.Fault.allCases)
    func `a failure at any operation loses nothing and shows nothing half done`(_ fault: FaultyFileSystem.Fault) throws
    {
        var victim = 0
        while true {
            let (disk, old) = try Self.prepared()
            let faulty = FaultyFileSystem(disk, fault, at: victim)
            let outcome = Self.work(faulty)
            try Self.check(disk, old, outcome, "\(fault) at \(victim)")
            if faulty.operationCount <= victim {
                #expect(outcome.isNamed)
                break
            }
            victim += 1
        }
        #expect(victim > 40)
    }

    @Test func `a kill at any operation on a real disk leaves no temporary files after the next start`() throws {
        var victim = 0
        var isDone = false
        while !isDone {
            let folder = try TemporaryFolder()
            let files = LocalFileSystem()
            let old: Digest
            do {
                let store = try Self.open(files, at: folder.store)
                old = try store.save(Self.first)
                try store.setReference(kind: "model", name: "name", to: old)
            }
            let faulty = FaultyFileSystem(files, .kill, at: victim)
            let outcome = Self.work(faulty, at: folder.store)
            isDone = faulty.operationCount <= victim
            try Self.check(files, at: folder.store, old, outcome, "kill at \(victim)")
            #expect(try files.list(folder.store.path() + "/staging") == [], "kill at \(victim)")
            victim += 3
        }
    }

    /// The receiving side of a push and of a pull. Arriving bytes go to a real disk, so the memory's conformer does not see it.
    @Test(arguments: FaultyFileSystem.Fault.allCases)
    func `a failure at any operation of an arrival loses nothing and shows nothing half done`(_ fault: FaultyFileSystem.Fault) throws {
        let files = LocalFileSystem(), elsewhere = try TemporaryFolder()
        let there = try Self.open(files, at: elsewhere.store), arriving = try there.save(Self.second)
        var victim = 0
        while true {
            let folder = try TemporaryFolder(), faulty = FaultyFileSystem(files, fault, at: victim)
            let old: Digest
            do {
                let store = try Self.open(files, at: folder.store)
                old = try store.save(Self.first)
                try store.setReference(kind: "model", name: "name", to: old)
            }
            var outcome = Outcome()
            do {
                let store = try Self.open(faulty, at: folder.store)
                try store.fetch(arriving, from: there)
                outcome.saved = arriving
                try store.setReference(kind: "model", name: "name", to: arriving, replace: true)
                outcome.isNamed = true
            } catch {}
            try Self.check(files, at: folder.store, old, outcome, "\(fault) at \(victim)")
            if faulty.operationCount <= victim {
                #expect(outcome.isNamed)
                break
            }
            victim += 1
        }
        #expect(victim > 40)
    }

    @Test func `power lost at any operation loses nothing that was reported as saved`() throws {
        var generator = SeededGenerator(seed: 12)
        var victim = 0
        while true {
            var count = 0
            for round in 0..<3 {
                let (disk, old) = try Self.prepared()
                let faulty = FaultyFileSystem(disk, .kill, at: victim)
                let outcome = Self.work(faulty)
                count = faulty.operationCount
                disk.crash { round == 0 ? false : Bool.random(using: &generator) }
                try Self.check(disk, old, outcome, "power lost at \(victim), round \(round)")
            }
            if count <= victim { break }
            victim += 1
        }
    }

    @Test func `no sync is superfluous`() throws {
        // How many syncs a save and a naming of something entirely new take.
        func run(skipping sync: Int?) throws -> (count: Int, isWhole: Bool) {
            let disk = MemoryFileSystem()
            let store = try Self.open(disk)
            let before = disk.syncCount
            if let sync { disk.skip(sync: sync) }
            let digest = try store.save(Self.second)
            try store.setReference(kind: "model", name: "name", to: digest)
            let count = disk.syncCount - before
            disk.crash { false }
            let after = try Self.open(disk)
            let isWhole =
                (try? after.load(digest)) == Self.second
                && (try? after.reference(kind: "model", name: "name"))?.digest == digest
            return (count, isWhole)
        }
        let (count, isWhole) = try run(skipping: nil)
        #expect(isWhole)
        #expect(count > 8)
        for sync in 0..<count { #expect(try !run(skipping: sync).isWhole, "sync \(sync) of \(count)") }
    }
}

extension SeededGenerator {
    func withBytes(_ count: Int) -> [UInt8] {
        var copy = self
        return copy.bytes(count)
    }
}
