import Foundation
import Testing

@testable import Store

/// Blobs kept as differences to others: when that is chosen, and what holds for them ever after.
@Suite struct BaseTests {
    /// A model, one adapted from it and one adapted from that, of one tensor each.
    struct Sample {
        let folder: TemporaryFolder
        let store: Store
        let weights: [[UInt8]]
        let artifacts: [Digest]
        var blobs: [BlobReference]

        init(seed: UInt64 = 80, unrelated: Bool = false) throws {
            folder = try TemporaryFolder()
            store = try folder.open()
            var generator = SeededGenerator(seed: seed)
            let base = generator.weights(40_000)
            let first = unrelated ? generator.weights(40_000) : generator.adapted(base, step: 1e-4)
            weights = [base, first, generator.adapted(first, step: 1e-4)]
            var artifacts: [Digest] = []
            var blobs: [BlobReference] = []
            for bytes in weights {
                let writer = try store.writer()
                try bytes.withUnsafeBytes {
                    try writer.add(name: "w", bytes: $0, elementType: "float32", shape: [400, 100], base: blobs.last)
                }
                var provenance = Provenance.example
                provenance.inputs = artifacts.last.map { ["model": $0] } ?? [:]
                artifacts.append(try writer.commit(kind: "model", provenance: provenance))
                blobs.append(try store.artifact(artifacts.last!).blob("w")!)
            }
            self.artifacts = artifacts
            self.blobs = blobs
        }

        func url(_ index: Int) -> URL {
            let hex = blobs[index].digest.hex
            return folder.store.appending(path: "blobs/sha256/\(hex.prefix(2))/\(hex.dropFirst(2))")
        }

        func path(_ index: Int) -> String { "blobs/sha256/\(blobs[index].digest.hex.prefix(2))/\(blobs[index].digest.hex.dropFirst(2))" }

        func codec(_ index: Int) throws -> String? { try store.blobReader.facts(blobs[index].digest)?.codec }

        func readsAll() throws -> Bool {
            let store = try folder.open(.readOnly)
            return try zip(blobs, weights).allSatisfy { Array(try store.data($0)) == $1 }
        }
    }

    @Test func `keeps adapted tensors as differences to full ones, one deep`() throws {
        let sample = try Sample()
        #expect(try (0..<3).map { try sample.codec($0) } == ["planes", "delta", "delta"])
        #expect(try sample.store.base(of: sample.blobs[0].digest) == nil)
        #expect(try sample.store.base(of: sample.blobs[1].digest) == sample.blobs[0].digest)
        // The third was adapted from a difference, so it takes that one's base.
        #expect(try sample.store.base(of: sample.blobs[2].digest) == sample.blobs[0].digest)
        #expect(try sample.store.bases(of: sample.store.artifact(sample.artifacts[2])) == [sample.blobs[0].digest])
        #expect(try sample.store.bases(of: sample.store.artifact(sample.artifacts[0])).isEmpty)
        #expect(try sample.readsAll())
        let size = try Data(contentsOf: sample.url(1)).count
        #expect(Double(size) < 0.5 * Double(sample.weights[1].count))
        #expect(try sample.store.verify().isClean)
    }

    @Test func `names in the manifest what was expected, whatever came of it`() throws {
        for sample in [try Sample(), try Sample(unrelated: true)] {
            #expect(sample.blobs.map(\.base) == [nil, sample.blobs[0].digest, sample.blobs[1].digest])
            let artifact = try sample.store.artifact(sample.artifacts[1])
            #expect(try Artifact(manifest: artifact.manifest()) == artifact)
        }
    }

    @Test func `streams and fills buffers through a base`() throws {
        let sample = try Sample()
        var portions: [UInt8] = []
        try sample.store.stream(sample.blobs[2]) { portions += $0 }
        #expect(portions == sample.weights[2])
        var buffer = [UInt8](repeating: 1, count: sample.blobs[1].byteCount)
        try buffer.withUnsafeMutableBytes { try sample.store.read(sample.blobs[1], into: $0) }
        #expect(buffer == sample.weights[1])
    }

    @Test func `takes no difference where it gains nothing`() throws {
        let sample = try Sample(unrelated: true)
        #expect(try (0..<3).map { try sample.codec($0) } == ["planes", "planes", "delta"])
        #expect(try sample.readsAll())
    }

    @Test func `goes without a base that is packed, of another length, missing or damaged`() throws {
        let sample = try Sample()
        var generator = SeededGenerator(seed: 81)
        let base = sample.blobs[0]
        func codec(_ base: BlobReference) throws -> (String?, Digest?) {
            let bytes = generator.adapted(sample.weights[0], step: 1e-4)
            let writer = try sample.store.writer()
            try bytes.withUnsafeBytes { try writer.add(name: "w", bytes: $0, elementType: "float32", base: base) }
            let blob = try sample.store.artifact(writer.commit(kind: "model", provenance: .example)).blob("w")!
            #expect(Array(try sample.store.data(blob)) == bytes)
            return (try sample.store.blobReader.facts(blob.digest)?.codec, blob.base)
        }
        #expect(try codec(base) == ("delta", base.digest))
        var longer = base
        longer.byteCount += 4
        longer.blobByteCount += 4
        #expect(try codec(longer) == ("planes", nil))
        var packed = base
        packed.blobByteCount += 4
        #expect(try codec(packed) == ("planes", nil))
        var missing = base
        missing.digest = Digest(of: [1, 2, 3])
        #expect(try codec(missing) == ("planes", missing.digest))
        var damaged = try Data(contentsOf: sample.url(0))
        damaged[5000] ^= 1
        try damaged.write(to: sample.url(0))
        #expect(try codec(base) == ("planes", base.digest))
    }

    @Test func `shares an unchanged tensor and names no base for it`() throws {
        let sample = try Sample()
        let writer = try sample.store.writer()
        try sample.weights[0].withUnsafeBytes {
            try writer.add(name: "w", bytes: $0, elementType: "float32", shape: [400, 100], base: sample.blobs[0])
        }
        let blob = try sample.store.artifact(writer.commit(kind: "run", provenance: .example)).blob("w")
        #expect(blob == sample.blobs[0])
    }

    @Test func `says which base is missing, damaged, another difference or of another length`() throws {
        let sample = try Sample()
        let whole = try Data(contentsOf: sample.url(0))
        func message(_ harm: () throws -> Void) throws -> String {
            try harm()
            defer { try? whole.write(to: sample.url(0)) }
            let store = try sample.folder.open(.readOnly)
            do {
                _ = try store.data(sample.blobs[1])
                return "nothing thrown"
            } catch let error as StoreError {
                #expect(error.isDamage)
                return error.description
            }
        }
        var flipped = whole
        flipped[flipped.count - 9] ^= 4
        let harms: [() throws -> Void] = [
            { try FileManager.default.removeItem(at: sample.url(0)) }, { try flipped.write(to: sample.url(0)) },
            { try whole.dropLast(10).write(to: sample.url(0)) }, { try Data().write(to: sample.url(0)) },
            { try Data(contentsOf: sample.url(2)).write(to: sample.url(0)) },
            { try Data(sample.weights[1]).write(to: sample.url(0)) },
        ]
        for (index, harm) in harms.enumerated() {
            let text = try message(harm)
            #expect(text.contains("its base \(sample.blobs[0].digest)"), "\(index): \(text)")
            #expect(text.contains(sample.blobs[1].digest.hex.dropFirst(2)), "\(index): \(text)")
        }
        #expect(try sample.readsAll())
    }

    @Test func `blames a damaged base, and names every artifact that it hits`() throws {
        let sample = try Sample()
        let whole = try Data(contentsOf: sample.url(0))
        for harm in [nil, whole.dropLast(1), Data(whole.map { $0 ^ 1 })] {
            if let harm { try harm.write(to: sample.url(0)) } else { try FileManager.default.removeItem(at: sample.url(0)) }
            let problems = try sample.store.verify().problems
            #expect(problems.map(\.path) == [sample.path(0)])
            #expect(problems.first?.artifacts == sample.artifacts.sorted())
            try whole.write(to: sample.url(0))
        }
        // A difference that is damaged itself is no fault of its base.
        var damaged = try Data(contentsOf: sample.url(1))
        damaged[2000] ^= 1
        try damaged.write(to: sample.url(1))
        let problems = try sample.store.verify().problems
        #expect(problems.map(\.path) == [sample.path(1)])
        #expect(problems.first?.artifacts == [sample.artifacts[1]])
    }

    @Test func `never gives wrong bytes for a damaged difference or base`() throws {
        let sample = try Sample()
        var generator = SeededGenerator(seed: 82)
        for index in 0..<2 {
            let whole = try Data(contentsOf: sample.url(index))
            for _ in 0..<60 {
                var damaged = whole
                damaged[Int.random(in: 0..<whole.count, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator)
                try damaged.write(to: sample.url(index))
                let store = try sample.folder.open(.readOnly)
                if let data = try? store.data(sample.blobs[1]) { #expect(Array(data) == sample.weights[1]) }
            }
            try whole.write(to: sample.url(index))
        }
    }

    @Test func `recompresses in place where that is smaller`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        let text = Array((0..<20_000).map { "line \($0 % 977) of many\n" }.joined().utf8)
        let writer = try store.writer(effort: .fast)
        try writer.add(name: "text", data: text)
        let blob = try store.artifact(writer.commit(kind: "model", provenance: .example)).blob("text")!
        let before = try #require(try store.blobReader.facts(blob.digest)).storedByteCount
        let saved = try store.recompress(blob, effort: .strong)
        #expect(saved > 0)
        #expect(try store.blobReader.facts(blob.digest)?.storedByteCount == before - saved)
        #expect(Array(try store.data(blob)) == text)
        #expect(try store.recompress(blob, effort: .fast) == 0)
        #expect(try store.verify().isClean)

        let sample = try Sample()
        for blob in sample.blobs { try sample.store.recompress(blob, effort: .strong) }
        #expect(try sample.store.base(of: sample.blobs[1].digest) == sample.blobs[0].digest)
        #expect(try sample.readsAll())
        #expect(try sample.store.verify().isClean)
    }

    @Test func `never puts a difference in the place of a file that is there`() throws {
        let sample = try Sample()
        let storage = LocalBlobStorage(
            root: sample.store.layout.blobs, files: sample.store.files, session: try sample.store.writingSession())
        let before = try Data(contentsOf: sample.url(0))
        let result = try sample.weights[0].withUnsafeBytes { plain in
            try sample.weights[1].withUnsafeBytes {
                try BlobWriter.stage(
                    plain, digest: sample.blobs[0].digest, elementType: .float32, effort: .fast, storage: storage,
                    base: .init(digest: sample.blobs[1].digest, bytes: $0))
            }
        }
        #expect(result.file.isDelta)
        try storage.publish([(sample.blobs[0].digest, result.file)], relying: [])
        #expect(try Data(contentsOf: sample.url(0)) == before)
        #expect(try sample.readsAll())
    }

    @Test func `writes a damaged tensor anew in full, for others may rest on it`() throws {
        let sample = try Sample()
        var damaged = try Data(contentsOf: sample.url(1))
        damaged[2000] ^= 1
        try damaged.write(to: sample.url(1))
        let writer = try sample.store.writer()
        try sample.weights[1].withUnsafeBytes {
            try writer.add(name: "w", bytes: $0, elementType: "float32", shape: [400, 100], base: sample.blobs[0])
        }
        try writer.commit(kind: "run", provenance: .example)
        #expect(try sample.codec(1) == "planes")
        #expect(try sample.readsAll())
    }
}
