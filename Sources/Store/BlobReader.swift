/// Turns stored files into plain bytes, and lets none out whose digest is not checked.
struct BlobReader: Sendable {
    let storage: any BlobStorage
    /// For messages: where the files are.
    let place: String

    /// What a stored file says of itself.
    struct Facts: Equatable, Sendable {
        var codec: String
        var plainByteCount: Int
        var storedByteCount: Int
        /// The blob whose bytes are needed to read this one.
        var base: Digest?
        /// How a delta was cut.
        var layout: TensorLayout?
    }

    private func name(_ digest: Digest) -> String { "\(place)/\(digest.hex.prefix(2))/\(digest.hex.dropFirst(2))" }

    private func open(_ digest: Digest) throws -> (file: any ReadableFile, header: BlobHeader?) {
        guard let file = try storage.open(digest) else {
            throw StoreError(
                .damaged, operation: "read a blob", path: name(digest), expected: "a file", found: "nothing",
                advice: "run verify to learn what else is hit")
        }
        return (file, try BlobHeader(of: file, name: name(digest)))
    }

    /// What the file says of itself, without looking at its content; nil if there is no such blob.
    func facts(_ digest: Digest) throws -> Facts? {
        guard let file = try storage.open(digest) else { return nil }
        guard let header = try BlobHeader(of: file, name: name(digest)) else {
            return Facts(codec: PlainCodec.name, plainByteCount: file.byteCount, storedByteCount: file.byteCount)
        }
        let codec = try BlobCodecs.codec(for: header, name: name(digest))
        return Facts(
            codec: codec.name, plainByteCount: header.plainByteCount, storedByteCount: file.byteCount, base: codec.base,
            layout: codec.deltaLayout)
    }

    /// The blob that may be the base of another of `byteCount` bytes in place of `digest`: itself, or its own base if it
    /// is a delta; nil unless that is there, full, of the same length and whole as far as its checksum tells.
    func fullBase(_ digest: Digest, byteCount: Int) throws -> Digest? {
        do {
            let full = try facts(digest)?.base ?? digest
            guard let facts = try facts(full), facts.base == nil, facts.plainByteCount == byteCount else { return nil }
            try verifyEncoding(full)
            return full
        } catch let error as StoreError where error.isDamage {
            return nil
        }
    }

    /// Fills `target`, whose size is the blob's length as told by the caller; on any failure `target` is zeros.
    func read(_ digest: Digest, into target: UnsafeMutableRawBufferPointer) throws {
        do {
            let (file, header) = try open(digest)
            try check(length: header?.plainByteCount ?? file.byteCount, is: target.count, digest)
            try decode(digest, file, header, window: target) { _ in }
        } catch {
            target.initializeMemory(as: UInt8.self, repeating: 0)
            throw error
        }
    }

    /// All bytes of a blob. Memory is taken only once the content has proved to be as long as it claims.
    func bytes(_ digest: Digest, byteCount: Int) throws -> [UInt8] {
        let (file, header) = try open(digest)
        let plain = header?.plainByteCount ?? file.byteCount
        try check(length: plain, is: byteCount, digest)
        // An honest blob rarely shrinks a thousandfold; one that claims so is decoded once in a small window first.
        if plain > 16 << 20, plain / 1000 > file.byteCount { try scan(digest) { _ in } }
        var bytes = [UInt8](repeating: 0, count: plain)
        try bytes.withUnsafeMutableBytes { try decode(digest, file, header, window: $0) { _ in } }
        return bytes
    }

    /// Hands a blob to `body` in portions, in bounded memory. Whether they are right is known only after the last one.
    /// A delta's base is read without its digest, since the delta's own is checked.
    private func scan(
        _ digest: Digest, hashing: Bool = true, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let (file, header) = try open(digest)
        let plain = header?.plainByteCount ?? file.byteCount
        let size = min(max(plain, 1), 4 * BlobCodecs.smallestWindow)
        let window = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
        defer { window.deallocate() }
        try decode(digest, file, header, hashing: hashing, window: window, body)
    }

    /// Hands a blob to `body` in portions after a first pass has checked it: twice the work, bounded memory, no
    /// unchecked byte.
    func stream(_ digest: Digest, byteCount: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        if byteCount <= 4 * BlobCodecs.smallestWindow {
            return try bytes(digest, byteCount: byteCount).withUnsafeBytes(body)
        }
        let (file, header) = try open(digest)
        try check(length: header?.plainByteCount ?? file.byteCount, is: byteCount, digest)
        try scan(digest) { _ in }
        try scan(digest, body)
    }

    /// Checks everything about a stored file: header, checksum of the encoded bytes, decoding, digest.
    func verify(_ digest: Digest) throws {
        try verifyEncoding(digest)
        if try open(digest).header != nil { try scan(digest) { _ in } }
    }

    /// Checks the encoded bytes only, at the speed of reading: enough to trust a file again that was whole once.
    func verifyEncoding(_ digest: Digest) throws {
        let (file, header) = try open(digest)
        guard let header else { return try scan(digest) { _ in } }
        let source = EncodedSource(file: file, from: BlobHeader.byteCount, name: name(digest))
        var checksum = XXH64()
        while source.remaining > 0 {
            try source.withNext { bytes in
                checksum.update(bytes)
                return bytes.count
            }
        }
        guard checksum.finish() == header.checksum else {
            throw damage(digest, "the checksum of the encoded bytes", "another")
        }
    }

    private func check(length found: Int, is expected: Int, _ digest: Digest) throws {
        guard found == expected else { throw damage(digest, "\(expected) plain bytes", "\(found)") }
    }

    private func decode(
        _ digest: Digest, _ file: any ReadableFile, _ header: BlobHeader?, hashing: Bool = true,
        window: UnsafeMutableRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let codec =
            if let header { try BlobCodecs.codec(for: header, name: name(digest)) } else {
                BlobCodecs.Known.full(PlainCodec())
            }
        let start = header == nil ? 0 : BlobHeader.byteCount
        let source = EncodedSource(file: file, from: start, name: name(digest))
        let byteCount = header?.plainByteCount ?? file.byteCount
        var hasher = Hasher256()
        var isBegun = false
        func take(_ portion: UnsafeRawBufferPointer) throws {
            isBegun = true
            if hashing { hasher.update(portion) }
            try body(portion)
        }
        switch codec {
        case .full(let codec):
            try codec.decode(source, plainByteCount: byteCount, window: window, emit: take)
        case .delta(let codec, let base):
            do {
                try codec.decode(
                    source, plainByteCount: byteCount, window: window,
                    base: BaseSource { try read(base: base, of: digest, byteCount: byteCount, $0) }, emit: take)
            } catch let error as StoreError where error.isDamage {
                // A collection may have put a full encoding in its place, and then taken the base away.
                if !isBegun, let (file, header) = try? open(digest), header?.base != base,
                    header?.plainByteCount ?? file.byteCount == byteCount
                {
                    return try decode(digest, file, header, hashing: hashing, window: window, body)
                }
                // With a wrong base anything may seem wrong with the delta.
                try check(base: base, of: digest, byteCount: byteCount)
                throw error
            }
        }
        guard hashing else { return }
        let found = hasher.finish()
        guard found == digest else {
            if case .delta(_, let base) = codec { try check(base: base, of: digest, byteCount: byteCount) }
            throw damage(digest, digest.description, found.description)
        }
    }

    /// Hands a delta's base to `take` in portions, in bounded memory. Whether it is right shows in the delta's digest.
    private func read(
        base: Digest, of digest: Digest, byteCount: Int, _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try blaming(base, digest) {
            try requireFull(base, of: digest, byteCount: byteCount)
            try scan(base, hashing: false, take)
        }
    }

    /// Throws if the base is not whole.
    private func check(base: Digest, of digest: Digest, byteCount: Int) throws {
        try blaming(base, digest) {
            try requireFull(base, of: digest, byteCount: byteCount)
            try scan(base) { _ in }
        }
    }

    /// Deltas to deltas would be slow to read and hard to keep; none is ever written, and forged ones could go in a circle.
    private func requireFull(_ base: Digest, of digest: Digest, byteCount: Int) throws {
        guard let facts = try facts(base) else { throw baseDamage(digest, base, "nothing at \(name(base))") }
        guard facts.base == nil else { throw baseDamage(digest, base, "another difference") }
        guard facts.plainByteCount == byteCount else {
            throw baseDamage(digest, base, "\(facts.plainByteCount) bytes instead of \(byteCount)")
        }
    }

    /// Turns damage of the base into the delta's.
    private func blaming(_ base: Digest, _ digest: Digest, _ body: () throws -> Void) throws {
        do { try body() } catch let error as StoreError where error.isDamage && error.path != name(digest) {
            throw baseDamage(digest, base, error.description)
        }
    }

    private func baseDamage(_ digest: Digest, _ base: Digest, _ found: String) -> StoreError {
        damage(digest, "its base \(base) whole", found)
    }

    private func damage(_ digest: Digest, _ expected: String, _ found: String) -> StoreError {
        StoreError(
            .damaged, operation: "read a blob", path: name(digest), expected: expected, found: found,
            advice: "run verify to learn what else is hit")
    }
}
