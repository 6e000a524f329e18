import Foundation
import Store

/// Writes a bundle front to back: what is named comes after what names it, and nothing is written twice.
struct BundleWriter {
    private let handle: FileHandle
    private let path: String

    /// - Parameter path: of a new file.
    init(_ path: String) throws {
        self.path = path
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Self.failure(path, String(cString: strerror(errno))) }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    func write(_ consignment: Consignment, of shipment: Shipment, _ context: TransferContext) throws {
        let manifest = OCIDescriptor(
            MediaType.manifest, consignment.manifestDigest, size: consignment.manifest.count,
            annotations: [Annotation.referenceName: shipment.name])
        let index: JSONValue = [
            "schemaVersion": 2, "mediaType": .string(MediaType.index), "manifests": [manifest.json],
        ]
        try member(BundleLayout.version, Array(BundleLayout.versionText.utf8))
        try member(BundleLayout.index, index.canonicalBytes())
        try member(BundleLayout.path(of: consignment.manifestDigest), consignment.manifest)
        var done = consignment.manifest.count
        for (descriptor, content) in consignment.parts {
            let name = BundleLayout.path(of: descriptor.digest)
            switch content {
            case .bytes(let bytes): try member(name, bytes)
            case .blob(let digest):
                let blob = try shipment.store.encodedBlob(digest)
                guard blob.byteCount == descriptor.size else { throw Self.changed(digest) }
                try put(TarArchive.header(name, size: descriptor.size))
                var buffer = [UInt8](repeating: 0, count: max(1, min(1 << 20, blob.byteCount)))
                var offset = 0
                while offset < blob.byteCount {
                    if context.isCancelled() { throw TransferInterrupted() }
                    let count = min(buffer.count, blob.byteCount - offset)
                    try buffer.withUnsafeMutableBytes {
                        try blob.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]), at: offset)
                    }
                    try put(buffer.prefix(count))
                    offset += count
                    context.progress(done + offset, consignment.byteCount)
                }
                try put([UInt8](repeating: 0, count: TarArchive.padding(descriptor.size)))
            }
            done += descriptor.size
            context.progress(done, consignment.byteCount)
        }
        try put([UInt8](repeating: 0, count: 2 * TarArchive.blockByteCount))
    }

    /// Makes the content durable.
    func sync() throws {
        do { try handle.synchronize() } catch { throw Self.failure(path, error.localizedDescription) }
    }

    private func member(_ name: String, _ bytes: [UInt8]) throws {
        try put(TarArchive.header(name, size: bytes.count))
        try put(bytes)
        try put([UInt8](repeating: 0, count: TarArchive.padding(bytes.count)))
    }

    private func put(_ bytes: some Collection<UInt8>) throws {
        do { try handle.write(contentsOf: Data(bytes)) } catch { throw Self.failure(path, error.localizedDescription) }
    }

    static func failure(_ path: String, _ reason: String) -> RemoteError {
        RemoteError(
            .inputOutput, operation: "write a bundle", place: path, found: reason,
            advice: "check the folder, that there is space, and permission")
    }

    private static func changed(_ digest: Digest) -> RemoteError {
        RemoteError(
            .inputOutput, operation: "write a bundle", expected: "blob \(digest.short) as it was a moment ago",
            found: "another encoding", advice: "run the command again")
    }
}

/// The members of a bundle: an OCI image layout.
enum BundleLayout {
    static let version = "oci-layout"
    static let versionText = #"{"imageLayoutVersion":"1.0.0"}"#
    static let index = "index.json"

    static func path(of digest: Digest) -> String { "blobs/sha256/\(digest.hex)" }
}
