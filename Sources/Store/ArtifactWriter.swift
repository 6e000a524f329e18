import Foundation
import Synchronization

/// Collects the blobs of one artifact. Nothing is visible before `commit`; a writer that is dropped leaves nothing
/// behind.
///
/// Several threads may add at once; the artifact does not depend on the order of adding.
public final class ArtifactWriter: Sendable {
    /// Files open at a time before they are made durable and closed.
    private static let stagedLimit = 64

    private struct State: Sendable {
        var references: [BlobReference] = []
        var names: Set<String> = []
        var small: [Small] = []
        var staged: [Digest: any StagedFile] = [:]
        /// Blobs that were in the store already.
        var relied: Set<Digest> = []
        var isCommitted = false
    }

    private struct Small: Sendable {
        var name: String
        var bytes: [UInt8]
        var elementType: String?
        var shape: [Int]?
    }

    private let state = Mutex(State())
    private let blobs: LocalBlobStorage
    private let manifests: LocalBlobStorage
    private let reader: BlobReader
    private let effort: Effort
    /// As long as it is held, no collection removes blobs.
    private let lease: any FileLock
    private let trash: Trash
    /// Keeps the artifact of a digest from collection until it has a name.
    private let hold: @Sendable (Digest) throws -> Void

    init(
        blobs: LocalBlobStorage, manifests: LocalBlobStorage, reader: BlobReader, effort: Effort, lease: any FileLock,
        trash: Trash, hold: @escaping @Sendable (Digest) throws -> Void
    ) {
        self.blobs = blobs
        self.manifests = manifests
        self.reader = reader
        self.effort = effort
        self.lease = lease
        self.trash = trash
        self.hold = hold
    }

    /// Adds bytes that lie in memory, such as a tensor.
    ///
    /// - Parameter base: a tensor of the store that this one resembles, such as the one it was adapted from. Where it
    ///   has the same length and makes the file clearly smaller, only the difference is kept. All of the base is then
    ///   read into memory for the time of the call.
    /// - Throws: `StoreError` with code `invalidManifest` for a name in use, a shape that does not fit and the like.
    public func add(
        name: String, bytes: UnsafeRawBufferPointer, elementType: String? = nil, shape: [Int]? = nil,
        base: BlobReference? = nil
    ) throws {
        try claim(name, byteCount: bytes.count, elementType, shape)
        if bytes.count < BlobReference.packingThreshold {
            let small = Small(name: name, bytes: Array(bytes), elementType: elementType, shape: shape)
            return state.withLock { $0.small.append(small) }
        }
        let isFitting = base.map { !$0.isPacked && $0.byteCount == bytes.count } ?? false
        let base = isFitting ? base?.digest : nil
        let digest = try keep(bytes, elementType: elementType, shape: shape, base: base)
        record(name, digest, bytes.count, elementType, shape, base: base == digest ? nil : base)
    }

    /// Adds the bytes of a collection such as `[UInt8]` or `Data`.
    public func add(name: String, data: some Sequence<UInt8>, elementType: String? = nil, shape: [Int]? = nil) throws {
        let isDone: Void? = try data.withContiguousStorageIfAvailable {
            try add(name: name, bytes: UnsafeRawBufferPointer($0), elementType: elementType, shape: shape)
        }
        if isDone == nil {
            try Array(data).withUnsafeBytes {
                try add(name: name, bytes: $0, elementType: elementType, shape: shape)
            }
        }
    }

    /// Adds bytes of any number in bounded memory: `body` hands them over in portions.
    ///
    /// The codec is chosen from the first portion, so that should be a mebibyte or so.
    public func add(
        name: String, elementType: String? = nil, shape: [Int]? = nil,
        streaming body: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        try claim(name, byteCount: nil, elementType, shape)
        do {
            var start: [UInt8] = []
            var writer: BlobWriter?
            try body { portion in
                if let writer { return try writer.append(portion) }
                start += portion
                guard start.count >= BlobReference.packingThreshold else { return }
                let type = elementType.flatMap(ElementType.init(rawValue:))
                let begun = try BlobWriter(storage: blobs, elementType: type, shape: shape, effort: effort)
                try start.withUnsafeBytes { try begun.append($0) }
                start = []
                writer = begun
            }
            guard let result = try writer?.finish() else {
                try check(name, start.count, elementType, shape)
                let small = Small(name: name, bytes: start, elementType: elementType, shape: shape)
                return state.withLock { $0.small.append(small) }
            }
            try check(name, result.plainByteCount, elementType, shape)
            if try !isPresent(result.digest, byteCount: result.plainByteCount) { try hold(result) }
            record(name, result.digest, result.plainByteCount, elementType, shape)
        } catch {
            state.withLock { _ = $0.names.remove(name) }
            throw error
        }
    }

    /// Writes the manifest after everything it names, and returns its digest once all of it is durable.
    ///
    /// Equal content gives the same digest, whoever commits it; an artifact that is there already is not written again.
    @discardableResult
    public func commit(kind: String, attributes: JSONValue = [:], provenance: Provenance) throws -> Digest {
        let isFirst = state.withLock { state in
            defer { state.isCommitted = true }
            return !state.isCommitted
        }
        precondition(isFirst, "an artifact is committed once")
        try pack()
        let artifact = Artifact(
            kind: kind, attributes: attributes, blobs: state.withLock { $0.references }, provenance: provenance)
        try artifact.validate()
        let manifest = try artifact.manifest()
        // What cannot be read back must not be written: this meets attributes nested too deeply.
        _ = try Artifact(manifest: manifest)
        try publish(relying: state.withLock { Array($0.relied) })
        for blob in Set(artifact.blobs.map(\.digest)).sorted() where try blobs.open(blob) == nil {
            guard try trash.restore(blob) else {
                throw StoreError(
                    .notFound, operation: "save an artifact", path: blobs.path(of: blob),
                    expected: "a blob saved before", found: "nothing", advice: "run the command again")
            }
            try blobs.publish([], relying: [blob])
        }
        let digest = Digest(of: manifest)
        try hold(digest)
        if let old = try? manifests.open(digest), old.byteCount == manifest.count,
            (try? BlobReader(storage: manifests, place: manifests.root).bytes(digest, byteCount: manifest.count))
                == manifest
        {
            try manifests.publish([], relying: [digest])
        } else {
            let file = try manifests.stage()
            try manifest.withUnsafeBytes { try file.write($0, at: 0) }
            try manifests.publish([(digest, file)], relying: [])
        }
        lease.release()
        return digest
    }

    // MARK: Names

    private func claim(_ name: String, byteCount: Int?, _ elementType: String?, _ shape: [Int]?) throws {
        if let byteCount { try check(name, byteCount, elementType, shape) }
        let isNew = state.withLock { state in
            precondition(!state.isCommitted, "nothing is added after the commit")
            return state.names.insert(name).inserted
        }
        guard isNew else {
            throw StoreError(
                .invalidManifest, operation: "add a blob", expected: "one blob of a name",
                found: "a second \(StoreError.quoted(name))")
        }
    }

    private func check(_ name: String, _ byteCount: Int, _ elementType: String?, _ shape: [Int]?) throws {
        try BlobReference(
            name: name, digest: Digest(of: []), byteCount: byteCount, blobByteCount: byteCount,
            elementType: elementType, shape: shape
        ).validate()
    }

    private func record(
        _ name: String, _ digest: Digest, _ byteCount: Int, _ elementType: String?, _ shape: [Int]?,
        base: Digest? = nil
    ) {
        let reference = BlobReference(
            name: name, digest: digest, byteCount: byteCount, blobByteCount: byteCount, elementType: elementType,
            shape: shape, base: base)
        state.withLock { $0.references.append(reference) }
    }

    // MARK: Blobs

    private func keep(
        _ bytes: UnsafeRawBufferPointer, elementType: String?, shape: [Int]? = nil, base: Digest? = nil
    ) throws -> Digest {
        let digest = Digest(of: bytes)
        if try isPresent(digest, byteCount: bytes.count) { return digest }
        // A damaged file is replaced by a full one: others may have it for their base.
        let isNew = try blobs.open(digest) == nil
        func stage(_ base: BlobWriter.Base?) throws {
            try hold(
                BlobWriter.stage(
                    bytes, digest: digest, elementType: elementType.flatMap(ElementType.init(rawValue:)), shape: shape,
                    effort: effort, storage: blobs, base: base))
        }
        if isNew, let base, let full = try reader.fullBase(base, byteCount: bytes.count), full != digest {
            let plain = try reader.bytes(full, byteCount: bytes.count)
            state.withLock { _ = $0.relied.insert(full) }
            try plain.withUnsafeBytes { try stage(.init(digest: full, bytes: $0)) }
        } else {
            try stage(nil)
        }
        return digest
    }

    /// Whether the blob is staged here or lies in the store, whole. A damaged one, or one whose base is damaged, counts
    /// as absent and is written anew.
    private func isPresent(_ digest: Digest, byteCount: Int) throws -> Bool {
        if state.withLock({ $0.staged[digest] != nil || $0.relied.contains(digest) }) { return true }
        var relied = [digest]
        do {
            if try reader.facts(digest) == nil, try !trash.restore(digest) { return false }
            guard let facts = try reader.facts(digest), facts.plainByteCount == byteCount else { return false }
            try reader.verifyEncoding(digest)
            if let base = facts.base {
                guard try reader.fullBase(base, byteCount: byteCount) == base else { return false }
                relied.append(base)
            }
        } catch let error as StoreError where error.isDamage {
            return false
        }
        state.withLock { $0.relied.formUnion(relied) }
        return true
    }

    private func hold(_ result: BlobWriter.Result) throws {
        let count = state.withLock { state in
            state.staged[result.digest] = result.file
            return state.staged.count
        }
        if count >= Self.stagedLimit { try publish(relying: []) }
    }

    private func publish(relying relied: [Digest]) throws {
        let batch = state.withLock { state in
            defer { state.staged = [:] }
            return state.staged
        }
        try blobs.publish(batch.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, relying: relied)
        // Published ones need no second look, but their names do have to be durable when the manifest is written.
        state.withLock { $0.relied.formUnion(batch.keys) }
    }

    /// Lays the small ranges side by side in the order of their names, each at a multiple of eight.
    private func pack() throws {
        let small = state.withLock { state in
            defer { state.small = [] }
            return state.small.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        }
        var members: [(Small, Int)] = []
        var bytes: [UInt8] = []
        func close() throws {
            guard !members.isEmpty else { return }
            // Byte planes suit a pack in which every element has the same type.
            let types = Set(members.map(\.0.elementType))
            let digest = try bytes.withUnsafeBytes { try keep($0, elementType: types.count == 1 ? types.first! : nil) }
            let count = bytes.count
            state.withLock { state in
                state.references += members.map { small, offset in
                    BlobReference(
                        name: small.name, digest: digest, offset: offset, byteCount: small.bytes.count,
                        blobByteCount: count, elementType: small.elementType, shape: small.shape)
                }
            }
            members = []
            bytes = []
        }
        for range in small {
            let start = (bytes.count + 7) / 8 * 8
            if start + range.bytes.count > BlobReference.largestPack { try close() }
            bytes += [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
            members.append((range, bytes.count))
            bytes += range.bytes
        }
        try close()
    }
}
