import Foundation
import Testing

@testable import Store

@Suite struct RepairTests {
    private let sample: VerificationTests.Sample
    private let other: TemporaryFolder

    init() throws {
        sample = try VerificationTests.Sample()
        other = try TemporaryFolder()
        try FileManager.default.copyItem(at: sample.folder.store, to: other.store)
    }

    private var source: StoreSource { get throws { StoreSource(try other.open(.readOnly), name: "other") } }

    private func url(_ path: String) -> URL { sample.folder.store.appending(path: path) }

    private func damage(_ path: String) throws {
        var data = try Data(contentsOf: url(path))
        data[data.count / 2] ^= 1
        try data.write(to: url(path))
    }

    @Test func `a whole store needs none`() throws {
        #expect(try sample.store.repair(from: [], changes: true) == RepairReport())
    }

    @Test func `everything damaged or missing comes back from another store`() throws {
        let paths = try sample.folder.contentFiles()
        for (index, path) in paths.enumerated() {
            if index % 2 == 0, !path.hasPrefix("refs/") { try FileManager.default.removeItem(at: url(path)) } else { try damage(path) }
        }
        let look = try sample.folder.open(.readOnly).repair(from: [source], changes: false)
        #expect(try !sample.store.verify().isClean, "looking changes nothing")
        let report = try sample.store.repair(from: [source], changes: true)
        #expect(report.items == look.items)
        #expect(Set(report.items.map(\.path)) == Set(paths))
        #expect(report.mendedCount == paths.count && report.lostCount == 0)
        #expect(report.items.allSatisfy { $0.outcome == .mended(from: "other") })
        #expect(try sample.store.verify().isClean)
        for (digest, ranges) in sample.contents { #expect(try sample.store.load(digest) == ranges) }
        #expect(try sample.store.reference(kind: "model", name: "base")?.digest == sample.base)
    }

    @Test func `a file of the right content gives a blob back, whatever its name`() throws {
        let artifact = try sample.store.artifact(sample.base)
        let blob = try #require(artifact.blob("text"))
        let content = try sample.store.data(blob)
        let folder = sample.folder.url.appending(path: "found/deep")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try content.write(to: folder.appending(path: "anything.bin"))
        try Data(count: content.count).write(to: folder.appending(path: "same-size.bin"))
        try damage(Store.path("blobs", blob.digest))
        try damage(Store.path("blobs", try #require(artifact.blob("noise")).digest))
        let source = try FileSource(sample.folder.url.appending(path: "found"))
        let report = try sample.store.repair(from: [source], changes: true)
        #expect((report.mendedCount, report.lostCount) == (1, 1))
        #expect(try sample.store.data(blob) == content)
        #expect(try code { _ = try FileSource(sample.folder.url.appending(path: "none")) } == .notFound)
    }

    @Test func `names the stage that makes again what was not found, and forgets that it was done`() throws {
        let key = try Provenance.example.stageKey()
        try sample.store.memoize(key, sample.base)
        let run = try sample.store.artifact(sample.run)
        try damage(Store.path("blobs", try #require(run.blob("own")).digest))
        let weights = try #require(try sample.store.artifact(sample.base).blob("weights"))
        try damage(Store.path("blobs", weights.digest))
        let report = try sample.store.repair(from: [], changes: true)
        #expect(report.lostCount == 2)
        #expect(report.remakes.map(\.digest) == [sample.base, sample.run], "what others are made from comes first")
        #expect(report.remakes.map(\.names) == [["model/base"], ["run/first"]])
        #expect(report.remakes.map(\.missingInputs) == [[], [sample.base]])
        #expect(report.remakes.first?.provenance == .example)
        #expect(report.forgotten == ["stage/\(key.hex)"])
        #expect(try sample.store.memoized(key) == nil)
        // Doing the work again mends it: equal work has an equal digest.
        let writer = try sample.store.writer()
        for (name, bytes) in sample.contents[sample.base]! where name != "weights" { try writer.add(name: name, data: bytes) }
        try writer.add(
            name: "weights", data: sample.contents[sample.base]!["weights"]!, elementType: "float32", shape: [17, 1000])
        #expect(try writer.commit(kind: "model", provenance: .example) == sample.base)
        #expect(try sample.store.load(sample.base) == sample.contents[sample.base])
    }

    @Test func `takes no damaged bytes from a source`() throws {
        let blob = try #require(try sample.store.artifact(sample.base).blob("noise"))
        let path = Store.path("blobs", blob.digest)
        try damage(path)
        let there = other.store.appending(path: path)
        var data = try Data(contentsOf: there)
        data[5] ^= 1
        try data.write(to: there)
        let report = try sample.store.repair(from: [source], changes: true)
        #expect(report.items == [.init(path: path, outcome: .lost)])
    }

    @Test func `what nothing names is left to the next collection`() throws {
        let digest = try sample.folder.open().save(["a": SeededGenerator(seed: 300).withBytes(66_000)])
        let blob = try #require(try sample.store.artifact(digest).blobs.first).digest
        try FileManager.default.removeItem(at: url(Store.path("artifacts", digest)))
        try damage(Store.path("blobs", blob))
        #expect(try sample.store.repair(from: [], changes: true).items.map(\.outcome) == [.unneeded])
        try sample.folder.open().collect(patience: 0)
        #expect(try sample.store.verify().isClean)
    }
}
