/// Grows one staged blob file: hashes and encodes in one pass, with memory for a few blocks only.
final class BlobWriter {
    private let file: any StagedFile
    private let effort: Effort
    private let elementType: ElementType?
    private let shape: [Int]?
    private let base: Base?
    private var hasher = Hasher256()
    private var checksum = XXH64()
    private var encoder: (any BlobEncoder)?
    /// Identifier and parameters for the header; nil for a headerless file.
    private var codec: (identifier: UInt16, parameters: UInt32)?
    private var isChosen = false
    private var isDelta = false
    private var plainByteCount = 0
    private var encodedByteCount = 0
    /// Small encoder outputs collected into writes of a sensible size.
    private var buffer: [UInt8] = []
    private var fileOffset = 0

    /// A blob that another may be told by its difference to, with all of its plain bytes.
    struct Base {
        let digest: Digest
        let bytes: UnsafeRawBufferPointer
    }

    /// The codec is chosen from the first portion, unless `choice` is given.
    init(
        storage: any BlobStorage, elementType: ElementType?, shape: [Int]? = nil, effort: Effort,
        choice: CodecChoice.Choice? = nil, base: Base? = nil
    ) throws {
        file = try storage.stage()
        self.elementType = elementType
        self.shape = shape
        self.effort = effort
        self.base = base
        if let choice { try begin(choice) }
    }

    private func begin(_ choice: CodecChoice.Choice) throws {
        isChosen = true
        switch choice {
        case .bare: return
        case .full(let full):
            codec = (type(of: full).identifier, full.parameters)
            encoder = try full.makeEncoder(effort: effort)
        case .delta(let delta):
            guard let base else { preconditionFailure("a delta has a base") }
            codec = (type(of: delta).identifier, delta.parameters)
            encoder = try delta.makeEncoder(effort: effort, base: base.bytes)
            isDelta = true
        }
        fileOffset = BlobHeader.byteCount
    }

    /// `hashing` is false when the digest is known already.
    func append(_ plain: UnsafeRawBufferPointer, hashing: Bool = true) throws {
        guard plain.count > 0 else { return }
        if !isChosen { try begin(CodecChoice.choice(for: plain, elementType: elementType, shape: shape)) }
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
                codec: codec.identifier, parameters: codec.parameters, plainByteCount: plainByteCount,
                encodedByteCount: encodedByteCount, base: isDelta ? base?.digest : nil, checksum: checksum.finish())
            try header.bytes.withUnsafeBytes { try file.write($0, at: 0) }
        }
        file.isDelta = isDelta
        let stored = encodedByteCount + (codec == nil ? 0 : BlobHeader.byteCount)
        return Result(
            file: file, digest: known ?? hasher.finish(), plainByteCount: plainByteCount, storedByteCount: stored)
    }

    /// Asking whether to go on takes place after so many bytes.
    private static let portionByteCount = 4 << 20

    /// Stages bytes that lie in memory whole, in the smallest form found. `base` is as long as `plain`. Throws `CancellationError`.
    static func stage(
        _ plain: UnsafeRawBufferPointer, digest: Digest, elementType: ElementType?, shape: [Int]? = nil, effort: Effort,
        storage: any BlobStorage, base: Base? = nil, isCancelled: (() -> Bool)? = nil
    ) throws -> Result {
        func stage(_ choice: CodecChoice.Choice) throws -> Result {
            let writer = try BlobWriter(
                storage: storage, elementType: elementType, effort: effort, choice: choice, base: base)
            let step = isCancelled == nil ? max(1, plain.count) : portionByteCount
            for start in stride(from: 0, to: plain.count, by: step) {
                if isCancelled?() == true { throw CancellationError() }
                let portion = plain[start..<min(start + step, plain.count)]
                try writer.append(UnsafeRawBufferPointer(rebasing: portion), hashing: false)
            }
            return try writer.finish(digest: digest)
        }
        let choice = try CodecChoice.choice(for: plain, elementType: elementType, shape: shape, base: base?.bytes)
        let result = try stage(choice)
        // The sample may have promised too much.
        if case .bare = choice { return result }
        return result.storedByteCount < plain.count ? result : try stage(CodecChoice.plain(plain))
    }
}
