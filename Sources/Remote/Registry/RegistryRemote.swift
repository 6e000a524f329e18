import Foundation
import Store
import Synchronization

/// A repository in an OCI registry; tags are names.
public struct RegistryRemote: Remote {
    private let client: RegistryClient

    public init(_ address: RegistryAddress, _ context: TransferContext = TransferContext()) {
        client = RegistryClient(address, context)
    }

    init(_ client: RegistryClient) { self.client = client }

    public var place: String { client.place }

    public func push(_ shipment: Shipment, replace: Bool, _ context: TransferContext) throws -> TransferReport {
        if let old = try client.manifest(shipment.name), !replace {
            let root = (try? OCIManifest(parsing: old.bytes))?.root
            guard root == shipment.digest else {
                throw RemoteError.nameInUse(shipment.name, "artifact", root ?? old.digest, place)
            }
        }
        let consignment = try Consignment(shipment, isCancelled: context.isCancelled)
        let total = consignment.byteCount
        var report = TransferReport()
        report.artifactCount = shipment.closure.artifacts.count
        var done = 0
        for (descriptor, content) in consignment.parts {
            if context.isCancelled() { throw TransferInterrupted() }
            let isBlob = if case .blob = content { true } else { false }
            if try client.has(descriptor) {
                report.skippedBytes += descriptor.size
                if isBlob { report.skippedBlobCount += 1 }
                done += descriptor.size
                context.progress(done, total)
                continue
            }
            let upload = RegistryUpload(client, descriptor, read: try Self.reader(content, descriptor, shipment.store))
            try upload.run { count in
                done += count
                context.progress(done, total)
            }
            report.movedBytes += upload.sentByteCount
            if isBlob { report.movedBlobCount += 1 }
        }
        try client.put(manifest: consignment.manifest, shipment.name)
        report.movedBytes += consignment.manifest.count
        context.progress(total, total)
        return report
    }

    private static func reader(_ content: Consignment.Content, _ descriptor: OCIDescriptor, _ store: Store) throws
        -> (Int, Int) throws -> Data
    {
        switch content {
        case .bytes(let bytes): return { offset, count in Data(bytes[offset..<offset + count]) }
        case .blob(let digest):
            let blob = try store.encodedBlob(digest)
            guard blob.byteCount == descriptor.size else {
                throw RemoteError(
                    .inputOutput, operation: "send a blob", expected: "blob \(digest.short) as it was a moment ago",
                    found: "another encoding", advice: "run the command again")
            }
            return { offset, count in
                var data = Data(count: count)
                try data.withUnsafeMutableBytes { try blob.read(into: $0, at: offset) }
                return data
            }
        }
    }

    public func pull(_ name: String?, kind: String?, into store: Store, lineage: Bool, _ context: TransferContext) throws
        -> Delivery
    {
        let tag = try name ?? onlyTag()
        guard let (bytes, _) = try client.manifest(tag) else {
            let tags = try client.tags().prefix(10).map { RemoteError.printable($0, limit: 80) }
            throw RemoteError(
                .notFound, operation: "pull '\(tag)'", place: place, expected: "a tag or digest that is there",
                found: tags.isEmpty ? "no tags" : "the tags \(tags.joined(separator: ", "))",
                advice: "check the tag")
        }
        let arrival = try Arrival(OCIManifest(parsing: bytes), from: RegistrySource(client: client, context: context))
        let (closure, report) = try arrival.take(into: store, lineage: lineage, context)
        return Delivery(closure, name: ReferenceName.isValid(name: tag) ? tag : arrival.name, report: report)
    }

    private func onlyTag() throws -> String {
        let tags = try client.tags()
        guard tags.count == 1, ReferenceName.isValid(name: tags[0]) else { throw RemoteError.nameNeeded(tags, place) }
        return tags[0]
    }
}

/// A registry's blobs as they are asked for.
private struct RegistrySource: OCISource {
    let client: RegistryClient
    let context: TransferContext

    var place: String { client.place }

    func content(_ descriptor: OCIDescriptor) throws -> [UInt8] { try client.content(descriptor) }

    func fill(_ file: PartialFile, _ descriptor: OCIDescriptor, progress: @escaping @Sendable (Int) -> Void) throws {
        try HTTPDownload(carrier: client.carrier, context: context, policy: client.policy).fetch(
            client.download(descriptor), into: file, byteCount: descriptor.size,
            refuse: { client.refuse("fetch a blob", $0) }, progress: progress)
    }
}
