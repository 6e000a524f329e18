import Foundation
import GRDB
import Synchronization
import Testing

@testable import Store

@Suite struct StoreIndexTests {
    final class Notes: Sendable {
        private let texts = Mutex<[String]>([])
        var all: [String] { texts.withLock { $0 } }
        func add(_ text: String) { texts.withLock { $0.append(text) } }
    }

    private func names(_ store: Store) throws -> [[String]] {
        try store.list().map(\.references).sorted { "\($0)" < "\($1)" }
    }

    @Test func `has the schema that is published`() throws {
        #expect(try String(contentsOf: repositoryFile("Schemas/index.sql"), encoding: .utf8) == IndexSchema.text)
    }

    @Test func `sees what other processes did`() throws {
        let folder = try TemporaryFolder()
        let (first, second) = (try folder.open(), try folder.open())
        for index in 0..<20 {
            let digest = try first.save(["a": [UInt8(index)]])
            #expect(try second.list().count == index + 1)
            try first.setReference(kind: "model", name: "name", to: digest, replace: true)
            #expect(try second.list().filter { !$0.references.isEmpty }.map(\.digest) == [digest])
        }
        try first.removeReference(kind: "model", name: "name")
        #expect(try second.list().allSatisfy(\.references.isEmpty))
        #expect(try second.list(kinds: ["run"]).isEmpty)
        let gone = try #require(try second.list().first).digest
        try LocalFileSystem().remove(
            folder.store.path() + "/artifacts/sha256/\(gone.hex.prefix(2))/\(gone.hex.dropFirst(2))")
        #expect(try second.list().count == 19)
        #expect(try second.usage().unreferencedCount == 1)
    }

    @Test func `is made again when it is missing, foreign, old, cut or overwritten`() throws {
        let folder = try TemporaryFolder()
        let digest: Digest
        do {
            let store = try folder.open()
            digest = try store.save(["a": SeededGenerator(seed: 50).withBytes(90_000), "b": [1]])
            try store.setReference(kind: "model", name: "a", to: digest)
        }
        let path = folder.store.path() + "/index.sqlite"
        let expected = try folder.open().usage()
        #expect(expected.artifactCount == 1 && expected.blobCount == 2)
        func clear() throws { for suffix in ["", "-wal", "-shm"] { try LocalFileSystem().remove(path + suffix) } }
        let harms: [(String, () throws -> Void)] = [
            ("missing", { try clear() }),
            (
                "overwritten",
                {
                    try clear()
                    try Data("not a database at all, but long enough".utf8).write(to: URL(filePath: path))
                }
            ),
            (
                "empty",
                {
                    try clear()
                    try Data().write(to: URL(filePath: path))
                }
            ),
            ("old", { try DatabaseQueue(path: path).write { try $0.execute(sql: "PRAGMA user_version = 0") } }),
            (
                "foreign",
                {
                    try clear()
                    try DatabaseQueue(path: path).write {
                        try $0.execute(
                            sql:
                                "PRAGMA user_version = \(IndexSchema.version); CREATE TABLE artifact (id); CREATE VIEW blob AS SELECT 1"
                        )
                    }
                }
            ),
            (
                "tampered",
                {
                    try DatabaseQueue(path: path).write {
                        try $0.execute(sql: "CREATE TRIGGER t AFTER INSERT ON blob BEGIN SELECT 1; END")
                    }
                }
            ),
            (
                "cut",
                {
                    try DatabaseQueue(path: path).write { _ in }
                    let data = try Data(contentsOf: URL(filePath: path))
                    try clear()
                    try data.prefix(data.count / 2).write(to: URL(filePath: path))
                }
            ),
        ]
        for (name, harm) in harms {
            try harm()
            for mode in [Store.Mode.readOnly, .readWrite] {
                #expect(try folder.open(mode).usage() == expected, "\(name) \(mode)")
                #expect(try names(folder.open(mode)) == [["model/a"]], "\(name) \(mode)")
            }
        }
    }

    @Test func `never disturbs the store when its bytes are damaged`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        for index in 0..<5 {
            let digest = try store.save(["a": [UInt8(index)]])
            try store.setReference(kind: "model", name: "n\(index)", to: digest)
        }
        try store.rebuildIndex()
        let path = folder.store.path() + "/index.sqlite"
        try DatabaseQueue(path: path).writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        let whole = try Data(contentsOf: URL(filePath: path))
        var generator = SeededGenerator(seed: 51)
        for _ in 0..<40 {
            var damaged = whole
            for _ in 0..<50 {
                damaged[Int.random(in: 0..<damaged.count, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            for suffix in ["", "-wal", "-shm"] { try LocalFileSystem().remove(path + suffix) }
            try damaged.write(to: URL(filePath: path))
            // The index may answer wrongly about a listing, but it may not fail, and nothing else depends on it.
            let reopened = try folder.open()
            _ = try reopened.list()
            _ = try reopened.usage()
            #expect(try reopened.verify().isClean)
            for index in 0..<5 { #expect(try reopened.resolve("n\(index)").artifact.blobs.count == 1) }
            try reopened.rebuildIndex()
            #expect(try names(reopened).count == 5)
        }
    }

    @Test func `tells who was made from whom and what each artifact takes`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        let noise = SeededGenerator(seed: 52).withBytes(100_000)
        let own = SeededGenerator(seed: 53).withBytes(70_000)
        let base = try store.save(["base": noise])
        let run = try store.save(["base": noise, "own": own], kind: "run", inputs: ["model": base])
        #expect(try store.artifacts(madeFrom: base) == [run])
        let usage = try store.usage()
        #expect(usage.logicalBytes == 270_000)
        let entry = try #require(usage.artifacts.first)
        let manifest = try store.artifact(run).manifest().count
        #expect(entry.digest == run)
        #expect(entry.storedBytes == 170_000 + manifest)
        #expect(entry.exclusiveBytes == 70_000 + manifest)
        let sizes = try folder.contentFiles().map { try Data(contentsOf: folder.store.appending(path: $0)).count }
        #expect(usage.storedBytes == sizes.reduce(0, +))
        #expect(usage.unreferencedBytes == 0)
    }

    @Test func `says what it did by itself`() throws {
        let folder = try TemporaryFolder()
        _ = try folder.open().list()
        try Data("rubbish".utf8).write(to: folder.store.appending(path: "index.sqlite"))
        let notes = Notes()
        let store = try Store(at: folder.store) { notes.add($0) }
        _ = try store.list()
        #expect(notes.all.count == 1 && notes.all[0].contains("index"))
    }
}
