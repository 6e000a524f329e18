/// A blob as it stands in its file, opened to be copied or sent.
public final class EncodedBlob: Sendable {
    /// Of the plain bytes.
    public let digest: Digest
    public let plainByteCount: Int
    /// Of the encoded form, header included.
    public let byteCount: Int
    private let file: any ReadableFile
    private let header: BlobHeader?
    private let path: String
    /// Keeps a file that was made for the occasion.
    private let temporary: (any StagedFile)?

    init(
        _ digest: Digest, _ file: any ReadableFile, _ header: BlobHeader?, path: String,
        temporary: (any StagedFile)? = nil
    ) {
        self.digest = digest
        plainByteCount = header?.plainByteCount ?? file.byteCount
        byteCount = file.byteCount
        (self.file, self.header, self.path, self.temporary) = (file, header, path, temporary)
    }

    /// Fills `bytes` with the encoded form from `offset` on.
    public func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        try file.read(into: bytes, at: offset)
    }

    /// The SHA-256 of the encoded form. All of it is read and checked on the way, so that damage does not travel.
    ///
    /// - Throws: `StoreError` with code `damaged`.
    public func encodedDigest() throws -> Digest {
        var hasher = Hasher256(), checksum = XXH64()
        var buffer = [UInt8](repeating: 0, count: max(1, min(byteCount, 1 << 20)))
        var offset = 0
        while offset < byteCount {
            let count = min(buffer.count, byteCount - offset)
            try buffer.withUnsafeMutableBytes {
                let portion = UnsafeMutableRawBufferPointer(rebasing: $0[..<count])
                try file.read(into: portion, at: offset)
                hasher.update(UnsafeRawBufferPointer(portion))
                let headerBytes = header == nil ? 0 : max(0, BlobHeader.byteCount - offset)
                if header != nil, headerBytes < count {
                    checksum.update(UnsafeRawBufferPointer(rebasing: portion[headerBytes...]))
                }
            }
            offset += count
        }
        let found = hasher.finish()
        guard header.map({ $0.checksum == checksum.finish() }) ?? (found == digest) else {
            throw StoreError(
                .damaged, operation: "read a blob", path: path, expected: "the bytes that were written",
                found: "others", advice: "run verify to learn what else is hit")
        }
        return found
    }
}

extension Store {
    /// The form in which a blob leaves this store: its file as it is, unless that needs another blob to be read.
    ///
    /// - Throws: `StoreError` with code `damaged` if the blob is missing or its header is not right.
    public func encodedBlob(_ digest: Digest) throws -> EncodedBlob {
        let path = "\(layout.blobs)/\(digest.hex.prefix(2))/\(digest.hex.dropFirst(2))"
        guard let file = try blobReader.storage.open(digest) else {
            throw StoreError(
                .damaged, operation: "read a blob", path: path, expected: "a file", found: "nothing",
                advice: "run verify to learn what else is hit")
        }
        let header = try BlobHeader(of: file, name: path)
        if header?.base != nil { return try selfContained(digest, byteCount: header!.plainByteCount) }
        return EncodedBlob(digest, file, header, path: path)
    }

    /// A blob encoded anew, so that it needs no other: what stands for a delta on its way out.
    func selfContained(_ digest: Digest, byteCount: Int) throws -> EncodedBlob {
        let session = try mode == .readWrite ? writingSession() : temporarySession()
        let storage = LocalBlobStorage(root: layout.blobs, files: files, session: session)
        let writer = try BlobWriter(storage: storage, elementType: .float32, effort: .standard)
        try blobReader.stream(digest, byteCount: byteCount) { try writer.append($0, hashing: false) }
        let result = try writer.finish(digest: digest)
        let file = try result.file.reopen()
        let header = try BlobHeader(of: file, name: "a blob encoded anew")
        return EncodedBlob(digest, file, header, path: "a blob encoded anew", temporary: result.file)
    }
}
