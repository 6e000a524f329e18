/// Grows one staged blob file: hashes and encodes in one pass, with memory for a few blocks only.
final class BlobWriter {
    private let file: any StagedFile
    private let effort: Effort
    private let elementType: ElementType?
    private var hasher = Hasher256()
    private var checksum = XXH64()
    private var encoder: (any BlobEncoder)?
    private var codec: (any BlobCodec)?
    private var isChosen = false
    private var plainByteCount = 0
    private var encodedByteCount = 0
    /// Small encoder outputs collected into writes of a sensible size.
    private var buffer: [UInt8] = []
    private var fileOffset = 0

    /// The codec is chosen from the first portion, unless `codec` is given (with nil inside for headerless plain).
    init(storage: any BlobStorage, elementType: ElementType?, effort: Effort, codec: (any BlobCodec)?? = nil) throws {
        file = try storage.stage()
        self.elementType = elementType
        self.effort = effort
        if let codec { try begin(codec) }
    }

    private func begin(_ codec: (any BlobCodec)?) throws {
        self.codec = codec
        isChosen = true
        encoder = try codec?.makeEncoder(effort: effort)
        fileOffset = codec == nil ? 0 : BlobHeader.byteCount
    }

    /// `hashing` is false when the digest is known already.
    func append(_ plain: UnsafeRawBufferPointer, hashing: Bool = true) throws {
        guard plain.count > 0 else { return }
        if !isChosen { try begin(CodecChoice.codec(for: plain, elementType: elementType)) }
        if hashing { hasher.update(plain) }
        plainByteCount += plain.count
        if let encoder { try encoder.append(plain, emit: emit) } else { try emit(plain) }
    }

    private func emit(_ encoded: UnsafeRawBufferPointer) throws {
        encodedByteCount += encoded.count
        if codec != nil { checksum.update(encoded) }
        if buffer.isEmpty, encoded.count >= 256 << 10 {
            try file.write(encoded, at: fileOffset)
            fileOffset += encoded.count
            return
        }
        buffer += encoded
        if buffer.count >= 1 << 20 { try flush() }
    }

    private func flush() throws {
        try buffer.withUnsafeBytes { try file.write($0, at: fileOffset) }
        fileOffset += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }

    struct Result {
        let file: any StagedFile
        let digest: Digest
        let plainByteCount: Int
        let storedByteCount: Int
    }

    /// Ends the file; `digest` is the one known, if the bytes were not hashed on the way.
    func finish(digest known: Digest? = nil) throws -> Result {
        try encoder?.finish(emit: emit)
        try flush()
        if let codec {
            let header = BlobHeader(
                codec: type(of: codec).identifier, parameters: codec.parameters, plainByteCount: plainByteCount,
                encodedByteCount: encodedByteCount, base: nil, checksum: checksum.finish())
            try header.bytes.withUnsafeBytes { try file.write($0, at: 0) }
        }
        let stored = encodedByteCount + (codec == nil ? 0 : BlobHeader.byteCount)
        return Result(
            file: file, digest: known ?? hasher.finish(), plainByteCount: plainByteCount, storedByteCount: stored)
    }

    /// Stages bytes that lie in memory whole, in the smallest form found.
    static func stage(
        _ plain: UnsafeRawBufferPointer, digest: Digest, elementType: ElementType?, effort: Effort,
        storage: any BlobStorage
    ) throws -> Result {
        let codec = try CodecChoice.codec(for: plain, elementType: elementType)
        func stage(_ codec: (any BlobCodec)?) throws -> Result {
            let writer = try BlobWriter(storage: storage, elementType: elementType, effort: effort, codec: .some(codec))
            try writer.append(plain, hashing: false)
            return try writer.finish(digest: digest)
        }
        let result = try stage(codec)
        // The sample may have promised too much.
        if codec != nil, !(codec is PlainCodec), result.storedByteCount >= plain.count {
            return try stage(CodecChoice.plain(plain))
        }
        return result
    }
}
