import Foundation
import Testing

@testable import Store

@Suite struct ReferenceTests {
    private func prepared() throws -> (TemporaryFolder, Store, [Digest]) {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        return (folder, store, try (0..<3).map { try store.save(["a": [UInt8($0)]]) })
    }

    @Test func `refuses a name in use unless told to replace it, and keeps what it stood for`() throws {
        let (folder, store, digests) = try prepared()
        try store.setReference(kind: "model", name: "a", to: digests[0])
        try store.setReference(kind: "model", name: "a", to: digests[0])
        #expect(try code { try store.setReference(kind: "model", name: "a", to: digests[1]) } == .nameInUse)
        #expect(try store.reference(kind: "model", name: "a")?.digest == digests[0])
        try store.setReference(kind: "model", name: "a", to: digests[1], replace: true)
        try store.setReference(kind: "model", name: "a", to: digests[2], replace: true)
        let reference = try #require(try folder.open(.readOnly).reference(kind: "model", name: "a"))
        #expect(reference.digest == digests[2])
        #expect(reference.history.map(\.digest) == [digests[1], digests[0]])
        #expect(reference.current.tool == "tests 1")
        #expect(abs(reference.created.timeIntervalSinceNow) < 60)
        try store.setReference(kind: "run", name: "a", to: digests[0])
        #expect(try store.referenceKinds() == ["model", "run"])
    }

    @Test func `lists and removes`() throws {
        let (_, store, digests) = try prepared()
        for name in ["b", "a", "C-1.x_y"] { try store.setReference(kind: "model", name: name, to: digests[0]) }
        #expect(try store.references(kind: "model").map(\.name) == ["C-1.x_y", "a", "b"])
        #expect(try store.removeReference(kind: "model", name: "a"))
        #expect(try !store.removeReference(kind: "model", name: "a"))
        #expect(try store.references(kind: "model").map(\.name) == ["C-1.x_y", "b"])
        #expect(try store.references(kind: "run").isEmpty)
        #expect(try store.artifact(digests[0]).kind == "model")
    }

    @Test(arguments: [
        "", ".", "..", "../a", "a/b", ".hidden", "-a", "a b", "é", "a\u{0}", String(repeating: "a", count: 129),
    ])
    func `refuses a name that is no name`(_ name: String) throws {
        let (_, store, digests) = try prepared()
        #expect(try code { try store.setReference(kind: "model", name: name, to: digests[0]) } == .invalidName)
        #expect(try code { _ = try store.reference(kind: "model", name: name) } == .invalidName)
        #expect(try code { try store.setReference(kind: "../" + name, name: "a", to: digests[0]) } == .invalidName)
    }

    @Test func `refuses to name what is not there`() throws {
        let (_, store, _) = try prepared()
        #expect(try code { try store.setReference(kind: "model", name: "a", to: Digest(of: [9])) } == .notFound)
    }

    @Test func `notices any changed byte, and is mended by setting it again`() throws {
        let (folder, store, digests) = try prepared()
        try store.setReference(kind: "model", name: "a", to: digests[0])
        try store.setReference(kind: "model", name: "a", to: digests[1], replace: true)
        let url = folder.store.appending(path: "refs/model/a")
        let whole = try Data(contentsOf: url)
        for index in whole.indices {
            var damaged = whole
            damaged[index] ^= 1
            try damaged.write(to: url)
            #expect(throws: StoreError.self, "\(index)") { try store.reference(kind: "model", name: "a") }
        }
        #expect(try store.verify().problems.map(\.references) == [["model/a"]])
        #expect(throws: StoreError.self) { try store.setReference(kind: "model", name: "a", to: digests[2]) }
        try store.setReference(kind: "model", name: "a", to: digests[2], replace: true)
        #expect(try store.reference(kind: "model", name: "a")?.digest == digests[2])
        #expect(try store.verify().isClean)
    }

    @Test func `notices a reference's file under another name`() throws {
        let (folder, store, digests) = try prepared()
        try store.setReference(kind: "model", name: "a", to: digests[0])
        let url = folder.store.appending(path: "refs/model")
        try FileManager.default.copyItem(at: url.appending(path: "a"), to: url.appending(path: "b"))
        #expect(try code { _ = try store.reference(kind: "model", name: "b") } == .damaged)
    }

    @Test func `remembers what a stage made`() throws {
        let (folder, store, digests) = try prepared()
        let key = try Provenance.example.stageKey()
        #expect(try store.memoized(key) == nil)
        try store.memoize(key, digests[0])
        #expect(try store.memoized(key) == digests[0])
        try store.memoize(key, digests[1])
        #expect(try folder.open(.readOnly).memoized(key) == digests[1])
        let hex = digests[1].hex
        try FileManager.default.removeItem(
            at: folder.store.appending(path: "artifacts/sha256/\(hex.prefix(2))/\(hex.dropFirst(2))"))
        #expect(try store.memoized(key) == nil)
    }

    @Test func `finds by name, digest and prefix`() throws {
        let (_, store, digests) = try prepared()
        let run = try store.save(["r": [1]], kind: "run")
        try store.setReference(kind: "model", name: "base", to: digests[0])
        try store.setReference(kind: "run", name: "base", to: run)
        #expect(try store.resolve("base", kinds: ["model"]).digest == digests[0])
        #expect(try store.resolve("base", kinds: ["run"]).artifact.kind == "run")
        #expect(try code { _ = try store.resolve("base") } == .ambiguous)
        #expect(try store.resolve(digests[1].description).digest == digests[1])
        #expect(try store.resolve(digests[1].hex).name == nil)
        #expect(try store.resolve(String(digests[1].hex.prefix(8))).digest == digests[1])
        #expect(try store.resolve("sha256:" + digests[1].hex.prefix(20)).digest == digests[1])
        #expect(try code { _ = try store.resolve(String(digests[1].hex.prefix(7))) } == .notFound)
        #expect(try code { _ = try store.resolve(run.hex, kinds: ["model"]) } == .notFound)
        #expect(try code { _ = try store.resolve("../../etc/passwd") } == .notFound)
        #expect(try code { _ = try store.resolve(digests[1].hex.uppercased()) } == .notFound)
        do {
            _ = try store.resolve("bse", kinds: ["model"])
            Issue.record("found")
        } catch let error as StoreError {
            #expect(error.advice == "did you mean 'base'?")
        }
    }
}
