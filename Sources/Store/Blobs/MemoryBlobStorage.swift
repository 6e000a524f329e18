import Synchronization

/// Blobs in memory: for tests and for stores that need not outlive a process.
final class MemoryBlobStorage: BlobStorage {
    private let blobs = Mutex<[Digest: [UInt8]]>([:])

    func open(_ digest: Digest) throws -> (any ReadableFile)? {
        blobs.withLock { $0[digest] }.map { MemoryFile($0) }
    }

    func stage() throws -> any StagedFile { MemoryFile([]) }

    func publish(_ staged: [(digest: Digest, file: any StagedFile)], relying relied: [Digest]) throws {
        blobs.withLock { blobs in
            for (digest, file) in staged {
                guard let file = file as? MemoryFile else { preconditionFailure("a file staged by another storage") }
                if !file.isDelta || blobs[digest] == nil { blobs[digest] = file.contents }
            }
        }
    }

    func list(prefix: String) throws -> [Digest] {
        blobs.withLock { $0.keys.filter { $0.hex.hasPrefix(prefix) } }.sorted()
    }

    func remove(_ digest: Digest) throws { _ = blobs.withLock { $0.removeValue(forKey: digest) } }
}

private final class MemoryFile: StagedFile, ReadableFile {
    private let bytes: Mutex<[UInt8]>
    private let delta = Mutex(false)

    var isDelta: Bool {
        get { delta.withLock { $0 } }
        set { delta.withLock { $0 = newValue } }
    }

    init(_ bytes: [UInt8]) { self.bytes = Mutex(bytes) }

    var contents: [UInt8] { bytes.withLock { $0 } }

    var byteCount: Int { bytes.withLock { $0.count } }

    func reopen() throws -> any ReadableFile { self }

    func sync() throws {}

    func write(_ source: UnsafeRawBufferPointer, at offset: Int) throws {
        bytes.withLock { bytes in
            let end = offset + source.count
            if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
            bytes.replaceSubrange(offset..<end, with: source)
        }
    }

    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        try bytes.withLock { bytes in
            guard offset + target.count <= bytes.count else {
                throw StoreError(
                    .damaged, operation: "read a blob in memory", expected: "\(offset + target.count) bytes",
                    found: "\(bytes.count)")
            }
            bytes.withUnsafeBytes {
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + target.count]))
            }
        }
    }
}
