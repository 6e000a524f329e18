import Testing

@testable import Store

/// The contract of every storage.
@Suite struct BlobStorageTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let make: @Sendable (TemporaryFolder) throws -> any BlobStorage
    }

    static let cases = [
        Case(testDescription: "memory") { _ in MemoryBlobStorage() },
        Case(testDescription: "local") { folder in
            let files = LocalFileSystem()
            let root = folder.url.path()
            try files.makeDirectory("\(root)/staging")
            try files.makeDirectory("\(root)/blobs")
            let session = try StagingSession(staging: "\(root)/staging", files: files)
            return LocalBlobStorage(root: "\(root)/blobs", files: files, session: session)
        },
    ]

    private func stage(_ storage: any BlobStorage, _ bytes: [UInt8]) throws -> any StagedFile {
        let file = try storage.stage()
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        return file
    }

    private func contents(_ file: (any ReadableFile)?) throws -> [UInt8]? {
        guard let file else { return nil }
        var bytes = [UInt8](repeating: 0, count: file.byteCount)
        try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        return bytes
    }

    @Test(arguments: cases) func `shows a file only once it is published`(_ test: Case) throws {
        let folder = try TemporaryFolder()
        let storage = try test.make(folder)
        let (first, second) = (Digest(of: [1]), Digest(of: [2]))
        let file = try stage(storage, [1, 2, 3])
        #expect(try storage.open(first) == nil)
        #expect(try storage.list(prefix: "").isEmpty)
        try storage.publish([(first, file), (second, stage(storage, []))], relying: [])
        #expect(try contents(storage.open(first)) == [1, 2, 3])
        #expect(try contents(storage.open(second)) == [])
        #expect(try storage.list(prefix: "") == [first, second].sorted())
    }

    @Test(arguments: cases) func `writes at any offset and reads parts`(_ test: Case) throws {
        let folder = try TemporaryFolder()
        let storage = try test.make(folder)
        let file = try storage.stage()
        try [UInt8]([7, 8]).withUnsafeBytes { try file.write($0, at: 4) }
        try [UInt8]([1]).withUnsafeBytes { try file.write($0, at: 0) }
        #expect(try contents(file.reopen()) == [1, 0, 0, 0, 7, 8])
        try storage.publish([(Digest(of: []), file)], relying: [])
        let stored = try #require(try storage.open(Digest(of: [])))
        var part: [UInt8] = [0, 0]
        try part.withUnsafeMutableBytes { try stored.read(into: $0, at: 3) }
        #expect(part == [0, 7])
        #expect(try code { try part.withUnsafeMutableBytes { try stored.read(into: $0, at: 5) } } == .damaged)
    }

    @Test(arguments: cases) func `replaces and removes`(_ test: Case) throws {
        let folder = try TemporaryFolder()
        let storage = try test.make(folder)
        let digest = Digest(of: [1])
        try storage.publish([(digest, stage(storage, [1]))], relying: [])
        let open = try storage.open(digest)
        try storage.publish([(digest, stage(storage, [2, 2]))], relying: [digest])
        #expect(try contents(open) == [1], "an open file stays what it was")
        #expect(try contents(storage.open(digest)) == [2, 2])
        try storage.remove(digest)
        #expect(try storage.open(digest) == nil)
        try storage.remove(digest)
    }

    @Test(arguments: cases) func `lists by prefix`(_ test: Case) throws {
        let folder = try TemporaryFolder()
        let storage = try test.make(folder)
        let digests = (0..<300).map { Digest(of: [UInt8(truncatingIfNeeded: $0), UInt8($0 / 256)]) }
        for group in [digests.prefix(150), digests.suffix(150)] {
            try storage.publish(group.map { ($0, try stage(storage, [1])) }, relying: [])
        }
        for prefix in ["", "a", "ab", digests[7].hex, String(digests[8].hex.prefix(9))] {
            #expect(try storage.list(prefix: prefix) == digests.filter { $0.hex.hasPrefix(prefix) }.sorted())
        }
    }
}
