import Foundation
import Testing

@testable import Store

@Suite struct StoreTests {
    static let threshold = BlobReference.packingThreshold

    @Test func `gives back what was saved at every size`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        var generator = SeededGenerator(seed: 20)
        var ranges: [String: [UInt8]] = [:]
        for size in [0, 1, 3, 8, Self.threshold - 1, Self.threshold, Self.threshold + 1, 3 << 20] {
            ranges["noise-\(size)"] = generator.bytes(size)
            ranges["zeros-\(size)"] = [UInt8](repeating: 0, count: size)
        }
        let digest = try store.save(ranges)
        #expect(try store.load(digest) == ranges)
        #expect(try folder.open(.readOnly).load(digest) == ranges)
        for blob in try store.artifact(digest).blobs {
            var streamed: [UInt8] = []
            try store.stream(blob) { streamed += $0 }
            #expect(streamed == ranges[blob.name])
            #expect(blob.isPacked || blob.byteCount >= Self.threshold)
        }
    }

    @Test func `reads many ranges at once into their buffers`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        var generator = SeededGenerator(seed: 21)
        var ranges: [String: [UInt8]] = [:]
        for index in 0..<20 { ranges["\(index)"] = generator.weights(5000 * index) }
        let blobs = try store.artifact(store.save(ranges)).blobs
        let buffers = blobs.map { UnsafeMutableRawBufferPointer.allocate(byteCount: $0.byteCount, alignment: 64) }
        defer { buffers.forEach { $0.deallocate() } }
        try store.read(Array(zip(blobs, buffers)).map { (blob: $0.0, target: $0.1) })
        for (blob, buffer) in zip(blobs, buffers) { #expect(Array(buffer) == ranges[blob.name]) }
    }

    @Test func `chooses a codec by what is smallest`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        var generator = SeededGenerator(seed: 22)
        let writer = try store.writer()
        try writer.add(name: "weights", data: generator.weights(50_000), elementType: "float32", shape: [50, 1000])
        try writer.add(name: "noise", data: generator.bytes(200_000))
        try writer.add(name: "text", data: Array(String(repeating: "many words ", count: 20_000).utf8))
        try writer.add(name: "magic", data: BlobHeader.magic + generator.bytes(200_000))
        let artifact = try store.artifact(try writer.commit(kind: "model", provenance: .example))
        func codec(_ name: String) throws -> String? { try store.blobReader.facts(artifact.blob(name)!.digest)?.codec }
        #expect(try codec("weights") == "planes")
        #expect(try codec("noise") == "plain")
        #expect(try codec("text") == "zstd")
        #expect(try codec("magic") == "plain")
        for blob in artifact.blobs { #expect(try store.data(blob).count == blob.byteCount) }
    }

    @Test func `leaves a plain blob as the bytes themselves`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        let noise = SeededGenerator(seed: 23).withBytes(100_000)
        let blob = try #require(try store.artifact(store.save(["noise": noise])).blobs.first)
        let file = "blobs/sha256/\(blob.digest.hex.prefix(2))/\(blob.digest.hex.dropFirst(2))"
        #expect(try Array(Data(contentsOf: folder.store.appending(path: file))) == noise)
    }

    @Test func `gives equal work an equal digest, whatever the order of adding`() throws {
        let (first, second) = (try TemporaryFolder(), try TemporaryFolder())
        var generator = SeededGenerator(seed: 24)
        let ranges = (0..<12).map { ("range \($0)", generator.bytes($0 * 9000)) }
        func save(_ folder: TemporaryFolder, _ ranges: [(String, [UInt8])]) throws -> Digest {
            let writer = try folder.open().writer()
            for (name, bytes) in ranges { try writer.add(name: name, data: bytes) }
            return try writer.commit(kind: "model", provenance: .example)
        }
        let digest = try save(first, ranges)
        #expect(try save(second, ranges.reversed()) == digest)
        #expect(try save(first, ranges) == digest)
        #expect(try first.contentFiles() == second.contentFiles())
    }

    @Test func `keeps equal tensors of several artifacts once`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        let noise = SeededGenerator(seed: 25).withBytes(100_000)
        try store.save(["a": noise, "head": [1]])
        let before = try folder.contentFiles().count
        try store.save(["b": noise, "head": [2]])
        // One packed blob and one manifest more, and no second copy.
        #expect(try folder.contentFiles().count == before + 2)
        let usage = try store.usage()
        #expect(usage.logicalBytes == 200_002)
        #expect(usage.storedBytes < 103_000)
        #expect(usage.blobCount == 3)
    }

    @Test func `streams in any portions to the same blob`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        for count in [0, 100, Self.threshold - 1, Self.threshold, 3_000_001] {
            let bytes = SeededGenerator(seed: 26).withBytes(count).map { $0 & 0x0f }
            for portion in [1000, 70_000, 1 << 20] {
                let writer = try store.writer()
                try writer.add(name: "all") { append in
                    try bytes.withUnsafeBytes { bytes in
                        var offset = 0
                        while offset < count {
                            let end = min(count, offset + portion)
                            try append(UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
                            offset = end
                        }
                    }
                }
                let digest = try writer.commit(kind: "dataset", provenance: .example)
                #expect(digest == (try store.save(["all": bytes], kind: "dataset")), "\(count) by \(portion)")
                #expect(try store.load(digest) == ["all": bytes])
            }
        }
    }

    @Test func `shows nothing of an artifact that is not committed`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        try store.writer().add(name: "a", data: SeededGenerator(seed: 27).withBytes(100_000))
        #expect(try folder.contentFiles().isEmpty)
        #expect(try store.list().isEmpty)
        #expect(try FileManager.default.subpathsOfDirectory(atPath: folder.store.path() + "/staging").count <= 2)
    }

    @Test func `refuses ranges that contradict themselves`() throws {
        let folder = try TemporaryFolder()
        let writer = try folder.open().writer()
        func refused(_ name: String, _ count: Int, _ type: String? = nil, _ shape: [Int]? = nil) throws {
            let result = try code {
                try writer.add(name: name, data: [UInt8](repeating: 0, count: count), elementType: type, shape: shape)
            }
            #expect(result == .invalidManifest, "\(name) \(count) \(type ?? "") \(shape ?? [])")
        }
        try refused("a", 4, "float31")
        try refused("a", 5, "float32")
        try refused("a", 8, "float32", [3])
        try refused("a", 8, "float32", [-2, -1])
        try refused("a", 0, "float32", [0, .max, .max])
        try refused("a", 8, nil, [8])
        for name in [
            "", "../a", "a/../b", "/a", "a//b", ".", "a\u{0}b", "a\nb", "a\\b", String(repeating: "a", count: 600),
        ] {
            try refused(name, 4)
        }
        try writer.add(name: "a", data: [1])
        try refused("a", 1)
        try writer.add(name: "vocab/words.txt", data: [1])
        try writer.add(name: "empty", data: [], elementType: "float32", shape: [0, 7])
    }

    @Test func `reads nothing by a reference that lies`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        let noise = SeededGenerator(seed: 28).withBytes(100_000)
        let blobs = try store.artifact(store.save(["noise": noise, "a": [1, 2], "b": [3]])).blobs
        let own = try #require(blobs.first { $0.name == "noise" })
        let packed = try #require(blobs.first { $0.name == "a" })
        func refused(_ blob: BlobReference, _ expected: StoreError.Code, _ change: (inout BlobReference) -> Void) throws
        {
            var blob = blob
            change(&blob)
            #expect(try code { _ = try store.data(blob) } == expected)
            #expect(try code { try store.stream(blob) { _ in } } == expected)
        }
        try refused(own, .damaged) {
            $0.byteCount = 1 << 50
            $0.blobByteCount = 1 << 50
        }
        try refused(own, .damaged) {
            $0.byteCount -= 1
            $0.blobByteCount -= 1
        }
        try refused(own, .damaged) { $0.digest = Digest(of: [77]) }
        try refused(packed, .invalidManifest) { $0.blobByteCount = 1 << 50 }
        try refused(packed, .invalidManifest) { $0.offset = .max }
        try refused(packed, .invalidManifest) { $0.offset = -1 }
        try refused(packed, .damaged) { $0.blobByteCount += 1 }
    }

    @Test func `writes anew an existing blob that is damaged`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        let noise = SeededGenerator(seed: 29).withBytes(100_000)
        let text = Array(String(repeating: "some words ", count: 20_000).utf8)
        let digest = try store.save(["noise": noise, "text": text])
        for path in try folder.contentFiles() {
            let url = folder.store.appending(path: path)
            let whole = try Data(contentsOf: url)
            try Data(count: whole.count).write(to: url)
            #expect(try !store.verify().isClean)
            #expect(try store.save(["noise": noise, "text": text]) == digest)
            #expect(try Data(contentsOf: url) == whole)
            #expect(try store.verify().isClean)
        }
    }

    @Test func `does not write existing blobs again`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        let noise = SeededGenerator(seed: 30).withBytes(100_000)
        try store.save(["noise": noise])
        let files = LocalFileSystem()
        func marks() throws -> [FileStatus?] {
            try folder.contentFiles().map { try files.status(folder.store.path() + "/" + $0) }
        }
        let before = try marks()
        try store.save(["noise": noise])
        #expect(try marks() == before)
    }

    @Test func `opens what is a store and refuses what is not`() throws {
        let folder = try TemporaryFolder()
        #expect(try code { _ = try folder.open(.readOnly) } == .notAStore)
        _ = try folder.open()
        _ = try folder.open(.readOnly)
        let format = folder.store.appending(path: "format")
        try Data("pipeline-store 2\n".utf8).write(to: format)
        #expect(try code { _ = try folder.open() } == .newerFormat)
        try Data("pipeline-store 1".utf8).write(to: format)
        #expect(try code { _ = try folder.open() } == .notAStore)
        try Data("something".utf8).write(to: format)
        #expect(try code { _ = try folder.open() } == .notAStore)
        let other = try TemporaryFolder()
        try Data().write(to: other.url.appending(path: "letter.txt"))
        #expect(try code { _ = try Store(at: other.url) } == .notAStore)
        #expect(try FileManager.default.contentsOfDirectory(atPath: other.url.path()) == ["letter.txt"])
    }

    @Test func `writes nothing in a store opened read-only`() throws {
        let folder = try TemporaryFolder()
        let digest = try folder.open().save(["a": SeededGenerator(seed: 31).withBytes(80_000)])
        try folder.open().setReference(kind: "model", name: "a", to: digest)
        try FileManager.default.removeItem(at: folder.store.appending(path: "staging"))
        try FileManager.default.removeItem(at: folder.store.appending(path: "locks"))
        let before = try FileManager.default.subpathsOfDirectory(atPath: folder.store.path()).sorted()
        let store = try folder.open(.readOnly)
        #expect(try code { _ = try store.writer() } == .readOnly)
        #expect(try code { try store.setReference(kind: "model", name: "b", to: digest) } == .readOnly)
        #expect(try code { try store.removeReference(kind: "model", name: "a") } == .readOnly)
        #expect(try store.list().map(\.digest) == [digest])
        #expect(try store.resolve("a").digest == digest)
        #expect(try store.usage().artifactCount == 1)
        #expect(try store.verify().isClean)
        #expect(try FileManager.default.subpathsOfDirectory(atPath: folder.store.path()).sorted() == before)
    }

    @Test func `does not follow a symbolic link in a blob's place`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        let noise = SeededGenerator(seed: 32).withBytes(100_000)
        let digest = try store.save(["noise": noise])
        let path = try #require(try folder.contentFiles().first { $0.hasPrefix("blobs/") })
        let url = folder.store.appending(path: path)
        let moved = folder.url.appending(path: "moved")
        try FileManager.default.moveItem(at: url, to: moved)
        try FileManager.default.createSymbolicLink(at: url, withDestinationURL: moved)
        #expect(try code { _ = try store.load(digest) } == .damaged)
        #expect(try !store.verify().isClean)
    }
}
