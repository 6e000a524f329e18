import Foundation
import Testing

@testable import Store

/// Differences that become full, so that bases which nothing else needs can go.
@Suite struct BaseReleaseTests {
    /// A tensor without a name, and others adapted from it that have names `a0`, `a1`, ….
    private struct Sample {
        let folder: TemporaryFolder
        let store: Store
        let base: Digest
        let weights: [[UInt8]]
        let adapted: [Digest]

        init(_ count: Int, seed: UInt64 = 300) throws {
            let folder = try TemporaryFolder()
            self.folder = folder
            store = try folder.open()
            var generator = SeededGenerator(seed: seed)
            let old = generator.weights(40_000)
            weights = (0..<count).map { _ in generator.adapted(old, step: 1e-4) }
            let first = try Self.save(old, nil, folder)
            base = first.blob.digest
            adapted = try weights.map { try Self.save($0, first.blob, folder).artifact }
            for (index, digest) in adapted.enumerated() { try store.setReference(kind: "model", name: "a\(index)", to: digest) }
        }

        /// By a process of its own that is gone then, so that nothing holds it.
        static func save(_ bytes: [UInt8], _ base: BlobReference?, _ folder: TemporaryFolder) throws
            -> (artifact: Digest, blob: BlobReference)
        {
            let store = try folder.open()
            let writer = try store.writer()
            try bytes.withUnsafeBytes { try writer.add(name: "w", bytes: $0, elementType: "float32", shape: [400, 100], base: base) }
            let digest = try writer.commit(kind: "model", provenance: .example)
            return (digest, try store.artifact(digest).blob("w")!)
        }

        func blob(_ index: Int) throws -> BlobReference { try store.artifact(adapted[index]).blob("w")! }

        func codec(_ index: Int) throws -> String? { try store.blobReader.facts(try blob(index).digest)?.codec }

        func collect() throws -> CollectionPlan {
            let plan = try store.collectionPlan()
            let before = try store.usage().storedBytes
            var steps: [CollectionProgress] = []
            let report = try folder.open().collect(patience: 0) { steps.append($0) }
            #expect(report.plan == plan, "a dry run says what happens")
            // Each part goes up to its whole, encoding first.
            let encoded = steps.prefix { if case .encoded = $0 { true } else { false } }
            if case .encoded(let done, let total)? = encoded.last { #expect(done == total) }
            if case .removed(let done, let total)? = steps.dropFirst(encoded.count).last { #expect(done == total) }
            #expect(plan.releasedCount == 0 || !encoded.isEmpty)
            #expect(report.removedBytes == plan.byteCount)
            #expect(try before - store.usage().storedBytes == plan.byteCount - plan.reencodedBytes)
            #expect(try plan.keptBytes == store.usage().storedBytes)
            #expect(try store.verify().isClean)
            return plan
        }

        func readsAll() throws -> Bool {
            try zip(adapted, weights).allSatisfy { digest, bytes in try folder.open(.readOnly).load(digest) == ["w": bytes] }
        }
    }

    @Test func `a base that one difference needs goes, and the difference is full`() throws {
        let sample = try Sample(1)
        #expect(try sample.codec(0) == "delta")
        let size = try #require(try sample.store.blobReader.facts(sample.base)).storedByteCount
        let plan = try sample.collect()
        #expect(plan.releasedCount == 1 && plan.releasedBytes == size && plan.reencodedCount == 1)
        #expect((1..<size).contains(plan.reencodedBytes))
        #expect(plan.baseCount == 0 && plan.baseBytes == 0)
        #expect(try sample.codec(0) == "planes")
        #expect(try sample.store.blobReader.facts(sample.base) == nil)
        #expect(try sample.readsAll())
        let next = try sample.collect()
        #expect(next.byteCount == 0 && next.reencodedCount == 0)
    }

    @Test func `a base stays as long as its differences would grow by more than it takes`() throws {
        let sample = try Sample(5)
        var plan = try sample.collect()
        #expect(plan.releasedCount == 0 && plan.baseCount == 1 && plan.baseBytes > 0)
        #expect(try (0..<5).allSatisfy { try sample.codec($0) == "delta" })
        // With the names go the differences, until the last ones are cheaper in full.
        for index in (1..<5).reversed() where plan.releasedCount == 0 {
            let estimate = try sample.store.removalEstimate(of: [("model", "a\(index)")])
            #expect(estimate.baseByteCount == 0, "it was one before")
            try sample.store.removeReference(kind: "model", name: "a\(index)")
            plan = try sample.collect()
        }
        #expect(plan.releasedCount == 1)
        #expect(plan.reencodedBytes < plan.releasedBytes)
        #expect(try sample.store.load(sample.adapted[0]) == ["w": sample.weights[0]])
    }

    @Test func `a base that is needed itself stays, and so do its differences`() throws {
        let sample = try Sample(1)
        let artifact = try #require(try sample.store.list().map(\.digest).first { !sample.adapted.contains($0) })
        try sample.store.setReference(kind: "model", name: "base", to: artifact)
        #expect(try sample.collect().releasedCount == 0)
        #expect(try sample.codec(0) == "delta")
        #expect(try sample.store.removalEstimate(of: [("model", "base")]).baseByteCount > 0)
        try sample.store.removeReference(kind: "model", name: "base")
        #expect(try sample.collect().releasedCount == 1)
        #expect(try sample.readsAll())
    }

    @Test(arguments: [("float16", 2), ("bfloat16", 2), ("float64", 8)])
    func `differences of other types are encoded as what they are`(_ type: String, _ width: Int) throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        var generator = SeededGenerator(seed: 310)
        // Elements that share their exponents, and a step in the lowest bits.
        let old = (0..<80_000).flatMap { _ in
            (0..<width).map { $0 < width - 1 ? UInt8.random(in: 0...255, using: &generator) & 0xfe : 0x3c }
        }
        var new = old
        for index in stride(from: 0, to: new.count, by: width) { new[index] |= UInt8.random(in: 0...1, using: &generator) }
        var base: BlobReference?
        for bytes in [old, new] {
            let writer = try folder.open().writer()
            try bytes.withUnsafeBytes {
                try writer.add(name: "w", bytes: $0, elementType: type, shape: [800, 100], base: base)
            }
            let digest = try writer.commit(kind: "model", provenance: .example)
            base = try store.artifact(digest).blob("w")
            try store.setReference(kind: "model", name: "a", to: digest, replace: true)
        }
        let layout = try #require(try store.blobReader.facts(Digest(of: new))?.layout)
        #expect(layout.kind.floatingPointType?.rawValue == type && layout.segment == 100)
        var retention = Retention()
        retention.history = 0
        #expect(try folder.open().collect(retention: retention, patience: 0).plan.releasedCount == 1)
        #expect(try store.blobReader.facts(Digest(of: new))?.base == nil)
        #expect(try store.blobReader.bytes(Digest(of: new), byteCount: new.count) == new)
    }

    @Test func `what changes between the looks is left alone`() throws {
        let sample = try Sample(2)
        try sample.store.removeReference(kind: "model", name: "a1")
        let before = try CollectionGraph(sample.store)
        let releases = try sample.store.baseReleases(before, Reachability(before, Retention()), stages: true)
        #expect(releases.map(\.deltas.count) == [1])
        func confirmed() throws -> [BaseRelease] {
            let graph = try CollectionGraph(sample.store, after: before)
            return sample.store.confirmed(releases, before, graph, Reachability(graph, Retention()))
        }
        #expect(try confirmed().count == 1)
        // A name for another difference.
        try sample.store.setReference(kind: "model", name: "a1", to: sample.adapted[1])
        #expect(try confirmed().isEmpty)
        try sample.store.removeReference(kind: "model", name: "a1")
        #expect(try confirmed().count == 1)
        // One that is not needed any more is not put in its place.
        try sample.store.removeReference(kind: "model", name: "a0")
        try sample.store.setReference(kind: "model", name: "a1", to: sample.adapted[1])
        #expect(try confirmed().isEmpty)
        try sample.store.removeReference(kind: "model", name: "a1")
        #expect(try confirmed().isEmpty, "the base goes by itself")
        try sample.store.setReference(kind: "model", name: "a0", to: sample.adapted[0])
        #expect(try confirmed().map(\.deltas.count) == [1])
        // Encoded anew meanwhile.
        let path = sample.folder.store.appending(path: Store.path("blobs", try sample.blob(0).digest))
        try Data(contentsOf: path).write(to: path)
        #expect(try confirmed().isEmpty)
    }

    @Test func `a difference or base that is damaged stops no collection`() throws {
        for victim in 0..<2 {
            let sample = try Sample(1)
            let digest = victim == 0 ? sample.base : try sample.blob(0).digest
            let path = sample.folder.store.appending(path: Store.path("blobs", digest))
            var damaged = try Data(contentsOf: path)
            damaged[2000] ^= 1
            try damaged.write(to: path)
            let plan = try sample.folder.open().collect(patience: 0).plan
            #expect(plan.releasedCount == 0 && plan.baseCount == 1 && plan.artifactCount == 1)
            #expect(try sample.codec(0) == "delta")
        }
    }

    @Test func `a disk without room keeps the difference and its base and makes room elsewhere`() throws {
        let disk = MemoryFileSystem()
        func open(_ files: any FileSystem) throws -> Store { try CrashTests.open(files) }
        var store: Store? = try open(disk)
        let old = UpkeepCrashTests.old
        var base: BlobReference?
        for (index, bytes) in [old, UpkeepCrashTests.adapted].enumerated() {
            let writer = try store!.writer()
            try bytes.withUnsafeBytes {
                try writer.add(name: "w", bytes: $0, elementType: "float32", shape: [200, 100], base: base)
            }
            let digest = try writer.commit(kind: "model", provenance: .example)
            base = try store!.artifact(digest).blob("w")
            if index == 1 { try store!.setReference(kind: "model", name: "a", to: digest) }
        }
        store = nil
        let plan = try open(FaultyFileSystem(disk, .full, at: 0)).collect(patience: 0).plan
        #expect(plan.artifactCount == 1 && plan.releasedCount == 0 && plan.baseCount == 1)
        #expect(try open(disk).verify().isClean)
        #expect(try open(disk).collect(patience: 0).plan.releasedCount == 1)
        #expect(try open(disk).verify().isClean)
    }

    @Test func `a reader that has begun with the difference reads on when its base is gone`() throws {
        let sample = try Sample(1)
        let blob = try sample.blob(0)
        let storage = InterruptedStorage(sample.store.blobReader.storage, before: sample.base) {
            _ = try? sample.folder.open().collect(patience: 0)
        }
        let reader = BlobReader(storage: storage, place: "blobs")
        #expect(try reader.bytes(blob.digest, byteCount: blob.byteCount) == sample.weights[0])
        #expect(try sample.codec(0) == "planes")
    }
}

/// Passes on to another storage, and has something done before one blob is opened.
private final class InterruptedStorage: BlobStorage {
    private let storage: any BlobStorage
    private let victim: Digest
    private let body: @Sendable () -> Void

    init(_ storage: any BlobStorage, before victim: Digest, _ body: @escaping @Sendable () -> Void) {
        (self.storage, self.victim, self.body) = (storage, victim, body)
    }

    func open(_ digest: Digest) throws -> (any ReadableFile)? {
        if digest == victim { body() }
        return try storage.open(digest)
    }

    func stage() throws -> any StagedFile { try storage.stage() }
    func publish(_ staged: [(digest: Digest, file: any StagedFile)], relying relied: [Digest]) throws {
        try storage.publish(staged, relying: relied)
    }
    func list(prefix: String) throws -> [Digest] { try storage.list(prefix: prefix) }
    func remove(_ digest: Digest) throws { try storage.remove(digest) }
}
