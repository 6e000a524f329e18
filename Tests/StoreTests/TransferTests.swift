import Foundation
import Testing

@testable import Store

@Suite struct TransferTests {
    private func stores() throws -> (folder: TemporaryFolder, here: Store, there: Store) {
        let folder = try TemporaryFolder()
        return (folder, try folder.open(), try Store(at: folder.url.appending(path: "there"), tool: "tests 1"))
    }

    private func chain(_ store: Store) throws -> (base: Digest, part: Digest, run: Digest) {
        var generator = SeededGenerator(seed: 7)
        let base = try store.save(["a": generator.weights(40_000)])
        let part = try store.save(["b": generator.weights(30_000)], inputs: ["model": base])
        let run = try store.save(
            ["log": generator.bytes(500)], kind: "run", attributes: ["parts": ["model": .string(part.description)]],
            inputs: ["model": base])
        return (base, part, run)
    }

    @Test func aClosureHasPartsAndLineageEachAfterWhatItMentions() throws {
        let (_, here, _) = try stores(), (base, part, run) = try chain(here)
        #expect(try here.closure(of: run).artifacts.map(\.digest) == [base, part, run])
        #expect(try here.closure(of: run, lineage: false).artifacts.map(\.digest) == [part, run])
        let orphan = try here.save(["x": [1]], inputs: ["model": Digest(of: [9])])
        #expect(try here.closure(of: orphan).absent == [Digest(of: [9])])
        #expect(try code { _ = try here.closure(of: Digest(of: [9])) } == .notFound)
    }

    @Test func fetchingCopiesOnceAndWhole() throws {
        let (_, here, there) = try stores(), (base, _, run) = try chain(there)
        let first = try here.fetch(base, from: there)
        #expect(first.movedBlobCount == 1 && first.skippedBlobCount == 0)
        let second = try here.fetch(run, from: there)
        #expect(second.artifactCount == 3 && second.movedBlobCount == 2 && second.skippedBlobCount == 1)
        #expect(try here.fetch(run, from: there).movedBytes == 0)
        #expect(try here.load(run) == there.load(run))
        #expect(try here.verify().isClean)
        #expect(throws: TransferInterrupted.self) {
            let other = try TemporaryFolder().open()
            try other.fetch(run, from: there, isCancelled: { true })
        }
    }

    @Test func aDamagedBlobHereIsFetchedAnewAndOneThereIsRefused() throws {
        let (folder, here, there) = try stores(), (base, _, _) = try chain(there)
        try here.fetch(base, from: there)
        let blob = try #require(there.artifact(base).blobs.first?.digest)
        let path = "blobs/sha256/\(blob.hex.prefix(2))/\(blob.hex.dropFirst(2))"
        func damage(_ store: Store) throws {
            var bytes = try Data(contentsOf: store.location.appending(path: path))
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: store.location.appending(path: path))
        }
        try damage(here)
        #expect(try folder.open().fetch(base, from: there).movedBlobCount == 1)
        #expect(try here.verify().isClean)
        try damage(there)
        let fresh = try Store(at: folder.url.appending(path: "fresh"))
        #expect(try code { try fresh.fetch(base, from: there) } == .damaged)
        #expect(try fresh.list().isEmpty && fresh.usage().storedBytes == 0)
    }

    @Test func aReceiverTakesNothingThatIsNotWhatItShouldBe() throws {
        let (_, here, there) = try stores(), (base, _, _) = try chain(there)
        let artifact = try there.artifact(base), blob = try #require(artifact.blobs.first), receiver = try here.receiver()
        let encoded = try there.encodedBlob(blob.digest)
        var bytes = [UInt8](repeating: 0, count: encoded.byteCount)
        try bytes.withUnsafeMutableBytes { try encoded.read(into: $0, at: 0) }
        #expect(try code { try receiver.commit(artifact.manifest(), of: base) } == .notFound)
        #expect(try code { try receiver.commit(artifact.manifest(), of: blob.digest) } == .damaged)
        func accept(_ bytes: [UInt8], as digest: Digest, _ count: Int) throws -> StoreError.Code? {
            let file = try receiver.partialFile(key: nil)
            try bytes.withUnsafeBytes { try file.append($0) }
            return try code { try receiver.accept(file, as: digest, plainByteCount: count) }
        }
        #expect(try accept(bytes.dropLast(), as: blob.digest, blob.byteCount) == .damaged)
        #expect(try accept(bytes, as: Digest(of: [1]), blob.byteCount) == .damaged)
        #expect(try accept(bytes, as: blob.digest, blob.byteCount + 1) == .damaged)
        #expect(try accept([], as: blob.digest, blob.byteCount) == .damaged)
        #expect(try here.usage().storedBytes == 0)
        #expect(try accept(bytes, as: blob.digest, blob.byteCount) == nil)
        try receiver.commit(artifact.manifest(), of: base)
        #expect(try here.load(base) == there.load(base))
    }

    @Test func whatArrivedOfABlobOutlivesItsWriterAndIsSweptInTheEnd() throws {
        let (folder, here, _) = try stores(), key = Digest(of: [1])
        func arrived(_ store: Store) throws -> Int { try store.receiver().partialFile(key: key).byteCount }
        do {
            let file = try here.receiver().partialFile(key: key)
            try [UInt8](repeating: 1, count: 1_000).withUnsafeBytes { try file.append($0) }
            #expect(try here.receiver().partialFile(key: key).byteCount == 0, "one writer at a time; another gets a file of its own")
        }
        #expect(try arrived(folder.open()) == 1_000)
        let path = folder.store.appending(path: "staging/partial/\(key.hex)")
        let old = Date(timeIntervalSinceNow: -PartialFile.lifetime - 60)
        try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: path.path())
        #expect(try arrived(folder.open()) == 0)
    }

    @Test func aBlobEncodedAnewIsTheSameBlob() throws {
        let (folder, here, there) = try stores(), (base, _, _) = try chain(there)
        let blob = try #require(there.artifact(base).blobs.first)
        for store in [there, try Store(at: folder.url.appending(path: "there"), mode: .readOnly)] {
            let encoded = try store.selfContained(blob.digest, byteCount: blob.byteCount)
            _ = try encoded.encodedDigest()
            let receiver = try here.receiver(), file = try receiver.partialFile(key: nil)
            var bytes = [UInt8](repeating: 0, count: encoded.byteCount)
            try bytes.withUnsafeMutableBytes { try encoded.read(into: $0, at: 0) }
            try bytes.withUnsafeBytes { try file.append($0) }
            try receiver.accept(file, as: blob.digest, plainByteCount: blob.byteCount)
        }
    }
}

@Suite struct DeltaTransferTests {
    @Test func aDifferenceTravelsAsABlobThatStandsForItself() throws {
        let sample = try BaseTests.Sample(), other = try Store(at: sample.folder.url.appending(path: "other"))
        #expect(try sample.codec(1) == "delta")
        let report = try other.fetch(sample.artifacts[1], from: sample.store, lineage: false)
        #expect(report.movedBlobCount == 1)
        #expect(try other.base(of: sample.blobs[1].digest) == nil)
        #expect(try other.load(sample.artifacts[1]) == sample.store.load(sample.artifacts[1]))
        #expect(try other.verify().isClean)
        #expect(try other.fetch(sample.artifacts[2], from: sample.store).skippedBlobCount == 1)
        #expect(try other.verify().isClean)
    }

    @Test func aDifferenceFromElsewhereIsRefused() throws {
        let sample = try BaseTests.Sample(), receiver = try sample.store.receiver(), file = try receiver.partialFile(key: nil)
        try Data(contentsOf: sample.url(1)).withUnsafeBytes { try file.append($0) }
        let found = try code { try receiver.accept(file, as: sample.blobs[1].digest, plainByteCount: sample.blobs[1].byteCount) }
        #expect(found == .damaged)
    }
}

@Suite struct UpstreamTests {
    private struct Pair {
        let folder = try! TemporaryFolder()
        let upstream: Store
        let notes = Notes()

        init() throws { upstream = try Store(at: folder.url.appending(path: "upstream"), tool: "tests 1") }

        func here(_ mode: Store.Mode = .readWrite) throws -> Store {
            try Store(
                at: folder.store, mode: mode, upstream: Store(at: upstream.location, mode: .readOnly), note: { [notes] in notes.add($0) })
        }
    }

    @Test func finishedWorkIsTakenFromThereAndRemembered() throws {
        let pair = try Pair(), key = Digest(of: [1])
        let model = try pair.upstream.save(["a": [UInt8](repeating: 3, count: 100_000)])
        try pair.upstream.memoize(key, model)
        let here = try pair.here()
        #expect(try here.memoized(key) == model)
        #expect(try here.load(model) == pair.upstream.load(model))
        #expect(pair.notes.all.count == 1)
        let alone = try pair.folder.open()
        #expect(try alone.memoized(key) == model, "it is here from now on")
        #expect(try here.memoized(Digest(of: [2])) == nil)
    }

    @Test func namesThatAreNotHereAreLookedForThere() throws {
        let pair = try Pair(), model = try pair.upstream.save(["a": [1, 2, 3]])
        try pair.upstream.setReference(kind: "model", name: "base", to: model)
        let here = try pair.here()
        #expect(try here.resolve("base", kinds: ["model"]).digest == model)
        #expect(try here.artifact(model).blobs.count == 1)
        #expect(try here.reference(kind: "model", name: "base") == nil, "the name stays the other's")
        #expect(try code { _ = try here.resolve("bose", kinds: ["model"]) } == .notFound)
        let own = try here.save(["a": [4]])
        try here.setReference(kind: "model", name: "base", to: own)
        #expect(try here.resolve("base", kinds: ["model"]).digest == own, "what is here goes first")
    }

    @Test func aStoreThatIsOnlyReadIsNotFilled() throws {
        let pair = try Pair(), model = try pair.upstream.save(["a": [1, 2, 3]])
        try pair.upstream.memoize(Digest(of: [1]), model)
        _ = try pair.folder.open()
        let here = try pair.here(.readOnly)
        #expect(try here.memoized(Digest(of: [1])) == nil)
        #expect(try code { _ = try here.resolve(model.hex) } == .notFound)
    }

    @Test func aDamagedUpstreamIsToldAndPassedOver() throws {
        let pair = try Pair(), key = Digest(of: [1])
        let model = try pair.upstream.save(["a": [UInt8](repeating: 3, count: 100_000)])
        try pair.upstream.memoize(key, model)
        let blob = try pair.upstream.artifact(model).blobs[0].digest
        try FileManager.default.removeItem(
            at: pair.upstream.location.appending(path: "blobs/sha256/\(blob.hex.prefix(2))/\(blob.hex.dropFirst(2))"))
        #expect(try pair.here().memoized(key) == nil)
        #expect(pair.notes.all.contains { $0.contains("upstream") })
    }

    final class Notes: @unchecked Sendable {
        private let lock = NSLock()
        private var texts: [String] = []
        func add(_ text: String) { lock.withLock { texts.append(text) } }
        var all: [String] { lock.withLock { texts } }
    }
}
