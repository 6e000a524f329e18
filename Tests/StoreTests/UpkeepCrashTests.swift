import Foundation
import Testing

@testable import Store

/// Collecting, removing, tagging, setting the retention and repairing, with something going wrong at every file operation in turn.
@Suite struct UpkeepCrashTests {
    /// One thing that is disturbed, on a store made for it.
    struct Work: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// What must be true once the work has said that it is done.
        let isDone: @Sendable (Store) throws -> Bool
        let run: @Sendable (Store) throws -> Void
        /// Damages the store before.
        var harm: @Sendable (MemoryFileSystem, Store) throws -> Void = { _, _ in }
    }

    static let shared = SeededGenerator(seed: 200).withBytes(66_000)
    static let kept: [String: [UInt8]] = ["shared": shared, "own": SeededGenerator(seed: 201).withBytes(67_000), "bias": [1]]
    static let spare: [String: [UInt8]] = ["shared": shared, "own": SeededGenerator(seed: 202).withBytes(68_000), "bias": [2]]
    static let twin: [String: [UInt8]] = ["shared": shared, "own": SeededGenerator(seed: 203).withBytes(69_000)]

    static let old = { var generator = SeededGenerator(seed: 204); return generator.weights(20_000) }()
    static let adapted = { var generator = SeededGenerator(seed: 205); return generator.adapted(old, step: 1e-4) }()

    static func open(_ files: any FileSystem) throws -> Store { try CrashTests.open(files) }

    /// A disk with a named model, one without a name that a stage remembers, and one with a name that is to go.
    static func prepared() throws -> (disk: MemoryFileSystem, kept: Digest, spare: Digest, twin: Digest) {
        let disk = MemoryFileSystem()
        let store = try open(disk)
        let kept = try store.save(Self.kept)
        try store.setReference(kind: "model", name: "kept", to: kept)
        let spare = try store.save(Self.spare)
        try store.memoize(Digest(of: [1]), spare)
        let twin = try store.save(Self.twin)
        try store.setReference(kind: "model", name: "twin", to: twin)
        return (disk, kept, spare, twin)
    }

    static let works: [Work] = [
        Work(testDescription: "gc", isDone: { try $0.list().count == 2 }, run: { try $0.collect(patience: 0) }),
        Work(
            testDescription: "gc of a base", isDone: { try $0.list().count == 3 },
            run: { try $0.collect(patience: 0) },
            harm: { _, store in
                var base: BlobReference?
                for bytes in [old, adapted] {
                    let writer = try store.writer()
                    try bytes.withUnsafeBytes {
                        try writer.add(name: "w", bytes: $0, elementType: "float32", shape: [200, 100], base: base)
                    }
                    let digest = try writer.commit(kind: "model", provenance: .example)
                    if base != nil { try store.setReference(kind: "model", name: "adapted", to: digest) }
                    base = try store.artifact(digest).blob("w")
                }
                #expect(try store.base(of: base!.digest) == Digest(of: old))
            }),
        Work(
            testDescription: "gc of a run and its model", isDone: { try $0.list().count == 2 },
            run: { try $0.collect(patience: 0) },
            harm: { _, store in
                let model = try store.save(["w": SeededGenerator(seed: 206).withBytes(66_000)])
                let writer = try store.writer()
                try writer.add(name: "log", data: [1])
                _ = try writer.commit(kind: "run", attributes: ["model": .string(model.description)], provenance: .example)
                // The model is the newer one, as after a repair.
                try store.manifestReader.storage.remove(model)
                _ = try store.save(["w": SeededGenerator(seed: 206).withBytes(66_000)])
            }),
        Work(
            testDescription: "remove and gc", isDone: { try $0.list().count == 1 },
            run: {
                try $0.removeReference(kind: "model", name: "twin")
                try $0.collect(patience: 0)
            }),
        Work(
            testDescription: "tag", isDone: { try $0.reference(kind: "model", name: "second")?.name == "second" },
            run: { try $0.setReference(kind: "model", name: "second", to: $0.reference(kind: "model", name: "kept")!.digest) }),
        Work(
            testDescription: "retention", isDone: { try $0.retention().history == 5 },
            run: {
                var retention = Retention()
                retention.history = 5
                try $0.setRetention(retention)
            }),
        Work(
            testDescription: "verify in portions", isDone: { $0.verificationPosition() == VerificationPosition() },
            run: { while try !$0.verify(.portion(byteCount: 70_000)).isComplete {} }),
        Work(
            testDescription: "repair", isDone: { try $0.verify().isClean },
            run: { _ = try $0.repair(from: [StoreSource(try whole())], changes: true) },
            harm: { disk, store in
                let kept = try #require(try store.reference(kind: "model", name: "kept")).digest
                for blob in try store.artifact(kept).blobs { try store.blobReader.storage.remove(blob.digest) }
                try store.manifestReader.storage.remove(kept)
            }),
    ]

    /// Another store with the same things in it.
    static func whole() throws -> Store { try open(try prepared().disk) }

    static func check(
        _ disk: MemoryFileSystem, _ work: Work, isDone: Bool, _ digests: (kept: Digest, spare: Digest, twin: Digest), _ what: String
    ) throws {
        let store = try open(disk)
        if isDone { #expect(try work.isDone(store), "\(what)") }
        if work.testDescription != "repair" || isDone {
            let report = try store.verify()
            #expect(report.isClean, "\(what): \(report.problems)")
            #expect(try store.load(digests.kept) == kept, "\(what)")
            if let adapted = try store.reference(kind: "model", name: "adapted") {
                #expect(try store.load(adapted.digest) == ["w": Self.adapted], "\(what)")
            }
            if let twin = try store.reference(kind: "model", name: "twin") {
                #expect(try store.load(twin.digest) == Self.twin, "\(what)")
            }
        }
        #expect(try store.reference(kind: "model", name: "kept")?.digest == digests.kept, "\(what)")
        // The next command succeeds, and what was interrupted is done by doing it again.
        try work.run(store)
        #expect(try work.isDone(store), "\(what), again")
        #expect(try store.verify().isClean, "\(what), again")
        #expect(try store.save(spare) == digests.spare, "\(what), again")
        #expect(try store.load(digests.spare) == spare, "\(what), again")
        #expect(try store.load(digests.kept) == kept, "\(what), again")
        try open(disk).collect(patience: 0)
        #expect(try store.trash.contents().count == 0, "\(what), again")
        #expect(try store.blobReader.facts(Digest(of: old)) == nil, "\(what), again: the base has gone")
        #expect(try disk.list("/store/staging")?.count == 1, "\(what), again")
    }

    /// Runs the work on a disk of its own and checks what is left of it.
    private static func attempt(
        _ work: Work, _ fault: FaultyFileSystem.Fault, at victim: Int, power: ((MemoryFileSystem) -> Void)? = nil
    ) throws -> (count: Int, isDone: Bool) {
        let (disk, kept, spare, twin) = try prepared()
        try work.harm(disk, try open(disk))
        let faulty = FaultyFileSystem(disk, fault, at: victim)
        var isDone = false
        do {
            try work.run(try open(faulty))
            isDone = true
        } catch {}
        power?(disk)
        try check(disk, work, isDone: isDone, (kept, spare, twin), "\(work.testDescription), \(fault) at \(victim)")
        return (faulty.operationCount, isDone)
    }

    @Test(arguments: works, FaultyFileSystem.Fault.allCases)
    func `a failure at any operation loses nothing and the next attempt succeeds`(_ work: Work, _ fault: FaultyFileSystem.Fault) throws {
        var victim = 0
        while true {
            let (count, isDone) = try Self.attempt(work, fault, at: victim)
            if count <= victim {
                #expect(isDone)
                break
            }
            victim += 1
        }
        #expect(victim > 10)
    }

    @Test(arguments: works) func `power lost at any operation loses nothing`(_ work: Work) throws {
        var generator = SeededGenerator(seed: 210)
        var victim = 0
        while true {
            var count = 0
            for round in 0..<3 {
                count = try Self.attempt(work, .kill, at: victim) { disk in
                    disk.crash { round == 0 ? false : Bool.random(using: &generator) }
                }.count
            }
            if count <= victim { break }
            victim += 1
        }
    }

    @Test func `a collection makes room on a disk without any`() throws {
        let (disk, kept, _, _) = try Self.prepared()
        let full = FaultyFileSystem(disk, .full, at: 0)
        let store = try Self.open(full)
        #expect(try code { try store.save(["more": Self.shared + [1]]) } == .diskFull)
        let report = try store.collect(patience: 0)
        #expect(report.plan.artifactCount == 1)
        let after = try Self.open(disk)
        #expect(try after.list().count == 2)
        #expect(try after.verify().isClean)
        #expect(try after.load(kept) == Self.kept)
        #expect(try after.trash.contents().count == 0)
    }
}
