import Foundation
import Testing

@testable import Store

/// What an artifact is nothing without: the model that a run made, which only the run's attributes name.
@Suite struct PartsTests {
    private let folder: TemporaryFolder
    private let store: Store
    private let model: Digest, run: Digest
    private let key = Digest(of: Array("a stage".utf8))

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.open()
        model = try store.save(["weights": SeededGenerator(seed: 5).withBytes(70_000)])
        let writer = try store.writer()
        try writer.add(name: "log", data: Array("steps".utf8))
        run = try writer.commit(kind: "run", attributes: ["model": .string(model.description)], provenance: .example)
        try store.setReference(kind: "run", name: "first", to: run)
        try store.memoize(key, run)
    }

    private func path(_ digest: Digest, _ area: String) -> String { folder.store.appending(path: Store.path(area, digest)).path }
    private func code(_ work: () throws -> Void) -> StoreError.Code? {
        do { try work() } catch { return (error as? StoreError)?.code }
        return nil
    }

    @Test func `a lost manifest of a run's model is found, and nothing of the model is collected`() throws {
        let blobs = try store.artifact(model).blobs.map(\.digest)
        #expect(try store.memoized(key) == run && store.verify().isClean)
        try FileManager.default.removeItem(atPath: path(model, "artifacts"))
        let fresh = try folder.open()
        let problem = try #require(try fresh.verify().problems.first)
        #expect(problem.path == Store.path("artifacts", model) && problem.reason == "missing")
        #expect(problem.artifacts.contains(run) && problem.references == ["run/first", "stage/\(key.hex)"] && problem.runs == [run])
        #expect(code { try fresh.collect(patience: 0) } == .damaged)
        #expect(code { _ = try fresh.collectionPlan() } == .damaged)
        for blob in blobs { #expect(FileManager.default.fileExists(atPath: path(blob, "blobs"))) }
        #expect(try fresh.memoized(key) == nil, "what is not whole is computed again")
        let repair = try fresh.repair(from: [], changes: true)
        #expect(repair.remakes.map(\.digest) == [run] && repair.forgotten == ["stage/\(key.hex)"])
        // Removing the only name that needs it lets the collection go on.
        try fresh.removeReference(kind: "run", name: "first")
        try fresh.collect(patience: 0)
        #expect(try fresh.list().isEmpty && fresh.verify().isClean)
    }

    @Test func `a lost or damaged blob of a run's model hits the run`() throws {
        let blob = try #require(try store.artifact(model).blobs.first).digest
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path(blob, "blobs")))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path(blob, "blobs")))
        let fresh = try folder.open()
        #expect(try fresh.verify().problems.map(\.references) == [["run/first", "stage/\(key.hex)"]])
        #expect(try fresh.isWhole(run) && !fresh.isWhole(run, checksBytes: true))
        #expect(try fresh.repair(from: [], changes: true).forgotten == ["stage/\(key.hex)"])
        try FileManager.default.removeItem(atPath: path(blob, "blobs"))
        #expect(try !folder.open().isWhole(run))
    }

    @Test func `a run and its model come back from another store at once`() throws {
        let other = try TemporaryFolder()
        try FileManager.default.copyItem(at: folder.store, to: other.store)
        for digest in [run, model] { try FileManager.default.removeItem(atPath: path(digest, "artifacts")) }
        let fresh = try folder.open()
        _ = try fresh.repair(from: [StoreSource(try other.open(.readOnly), name: "other")], changes: true)
        #expect(try fresh.verify().isClean && fresh.isWhole(run, checksBytes: true))
    }

    @Test func `a name that stands for nothing stops a collection`() throws {
        try FileManager.default.removeItem(atPath: path(run, "artifacts"))
        #expect(code { try folder.open().collect(patience: 0) } == .damaged)
        #expect(FileManager.default.fileExists(atPath: path(model, "artifacts")))
    }

    @Test func `a kind before a name says which, and a name that could be a digest is not guessed at`() throws {
        try store.setReference(kind: "model", name: "first", to: model)
        #expect(try store.resolve("run/first").digest == run && store.resolve("model/first").digest == model)
        #expect(code { _ = try store.resolve("first") } == .ambiguous)
        #expect(code { _ = try store.resolve("run/second") } == .notFound)
        #expect(code { _ = try store.resolve("model/first", kinds: ["run"]) } == .notFound)
        let prefix = String(run.hex.prefix(12))
        try store.setReference(kind: "model", name: prefix, to: model)
        #expect(code { _ = try store.resolve(prefix) } == .ambiguous)
        #expect(try store.resolve("sha256:" + prefix).digest == run && store.resolve("model/" + prefix).digest == model)
    }
}
