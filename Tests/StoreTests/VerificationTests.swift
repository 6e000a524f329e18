import Foundation
import Synchronization
import Testing

@testable import Store

@Suite struct VerificationTests {
    /// A small store with every form of file: a plain, a zstd, a planes and a packed blob, manifests, references.
    struct Sample {
        let folder: TemporaryFolder
        let store: Store
        let base: Digest
        let run: Digest
        let contents: [Digest: [String: [UInt8]]]

        init() throws {
            folder = try TemporaryFolder()
            store = try folder.open()
            var generator = SeededGenerator(seed: 60)
            let weights = generator.weights(17_000)
            let ranges: [String: [UInt8]] = [
                "noise": generator.bytes(66_000),
                "text": Array(String(repeating: "words and words ", count: 5000).utf8),
                "small": [1, 2, 3],
            ]
            let writer = try store.writer()
            for (name, bytes) in ranges { try writer.add(name: name, data: bytes) }
            try writer.add(name: "weights", data: weights, elementType: "float32", shape: [17, 1000])
            base = try writer.commit(kind: "model", provenance: .example)
            run = try store.save(["own": generator.bytes(70_000)], kind: "run", inputs: ["model": base])
            try store.setReference(kind: "model", name: "base", to: base)
            try store.setReference(kind: "run", name: "first", to: run)
            contents = [base: try store.load(base), run: try store.load(run)]
            #expect(contents[base] == ranges.merging(["weights": weights]) { first, _ in first })
        }

        /// Whether reads give right bytes or throw.
        func readsNothingWrong() -> Bool {
            let fresh = try? folder.open(.readOnly)
            return contents.allSatisfy { digest, ranges in
                guard let fresh, let artifact = try? fresh.artifact(digest) else { return true }
                return artifact.blobs.allSatisfy { blob in
                    guard let data = try? fresh.data(blob) else { return true }
                    return Array(data) == ranges[blob.name]
                }
            }
        }
    }

    @Test func `what was collected and saved again meanwhile is no damage, a flipped byte is`() throws {
        let disk = MemoryFileSystem(), files = HidingFileSystem(disk)
        let store = try CrashTests.open(files), digest = try store.save(["w": [1, 2, 3]])
        let path = try #require(store.manifestReader.storage as? LocalBlobStorage).path(of: digest)
        files.hideOnce(path)
        #expect(try store.verify().problems == [])
        #expect(try store.verify().isClean)
        try disk.remove(path)
        try Array("{}".utf8).withUnsafeBytes { try disk.createFile(path).write($0, at: 0) }
        #expect(try store.verify().problems.map(\.artifacts) == [[digest]])
    }

    @Test func `finds nothing wrong with a whole store`() throws {
        let sample = try Sample()
        let seen = Mutex(0)
        let report = try sample.store.verify { progress in
            seen.withLock { $0 = max($0, progress.checkedBytes) }
            #expect(progress.checkedBytes <= progress.totalBytes)
        }
        #expect(report.isClean)
        #expect(report.notes == [])
        #expect((report.blobCount, report.artifactCount, report.referenceCount) == (5, 2, 2))
        #expect(seen.withLock { $0 } == report.byteCount)
    }

    @Test func `flags every changed byte and says what it hits, and reads never give wrong bytes`() throws {
        let sample = try Sample()
        var generator = SeededGenerator(seed: 61)
        for path in try sample.folder.contentFiles() {
            let url = sample.folder.store.appending(path: path)
            let whole = try Data(contentsOf: url)
            let tested = Set(0..<min(24, whole.count)).union([whole.count - 1])
                .union((0..<16).map { _ in Int.random(in: 0..<whole.count, using: &generator) })
                .union(whole.starts(with: BlobHeader.magic) ? 0..<BlobHeader.byteCount : 0..<0)
            for index in tested {
                var damaged = whole
                damaged[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                try damaged.write(to: url)
                let problems = try sample.folder.open(.readOnly).verify().problems
                #expect(problems.map(\.path) == [path], "\(path) at \(index)")
                #expect(problems.first?.references.isEmpty == false, "\(path) at \(index)")
                #expect(sample.readsNothingWrong(), "\(path) at \(index)")
            }
            try whole.write(to: url)
        }
        #expect(try sample.store.verify().isClean)
    }

    @Test func `flags cut, longer, zeroed, swapped and missing files`() throws {
        let sample = try Sample()
        let paths = try sample.folder.contentFiles()
        for path in paths {
            let url = sample.folder.store.appending(path: path)
            let whole = try Data(contentsOf: url)
            let other = try #require(paths.first { $0 != path })
            let harms: [(String, Data?)] = [
                ("cut", whole.dropLast()), ("cut to the header", whole.prefix(80)), ("empty", Data()),
                ("longer", whole + [0]), ("zeroed", Data(count: whole.count)), ("missing", nil),
                ("swapped", try Data(contentsOf: sample.folder.store.appending(path: other))),
            ]
            for (name, data) in harms where data != whole {
                if let data { try data.write(to: url) } else { try FileManager.default.removeItem(at: url) }
                #expect(sample.readsNothingWrong(), "\(path) \(name)")
                // A missing name cannot be told from a removed one.
                if !(path.hasPrefix("refs/") && data == nil) {
                    let report = try sample.folder.open(.readOnly).verify()
                    #expect(report.problems.contains { $0.path == path }, "\(path) \(name)")
                }
                try whole.write(to: url)
            }
        }
    }

    @Test func `names the artifacts, references and descendants that damage hits`() throws {
        let sample = try Sample()
        let weights = try #require(try sample.store.artifact(sample.base).blob("weights"))
        let path = "blobs/sha256/\(weights.digest.hex.prefix(2))/\(weights.digest.hex.dropFirst(2))"
        try FileManager.default.removeItem(at: sample.folder.store.appending(path: path))
        let problem = try #require(try sample.store.verify().problems.first)
        #expect(problem.path == path)
        #expect(problem.reason == "missing")
        #expect(problem.artifacts == [sample.base])
        #expect(problem.references == ["model/base"])
        #expect(problem.dependents == [sample.run])
    }

    @Test func `mentions files that do not belong there`() throws {
        let sample = try Sample()
        try Data([1]).write(to: sample.folder.store.appending(path: "blobs/sha256/notes.txt"))
        let report = try sample.store.verify()
        #expect(report.isClean)
        #expect(report.notes.count == 1)
    }

    @Test func `fills the buffer with zeros when a read fails`() throws {
        let sample = try Sample()
        for blob in try sample.store.artifact(sample.base).blobs {
            let path = "blobs/sha256/\(blob.digest.hex.prefix(2))/\(blob.digest.hex.dropFirst(2))"
            let url = sample.folder.store.appending(path: path)
            var damaged = try Data(contentsOf: url)
            damaged[damaged.count - 1] ^= 1
            try damaged.write(to: url)
            var buffer = [UInt8](repeating: 0xAA, count: blob.byteCount)
            let store = try sample.folder.open(.readOnly)
            let result = try code { try buffer.withUnsafeMutableBytes { try store.read(blob, into: $0) } }
            #expect(result == .damaged)
            #expect(buffer.allSatisfy { $0 == 0 }, "\(blob.name)")
        }
    }
}
