import Foundation
import Store

/// One file with one artifact and its closure: an OCI image layout in a tar archive.
public struct BundleRemote: Remote {
    private let url: URL

    public init(_ url: URL) { self.url = url }

    public var place: String { url.path }

    public func push(_ shipment: Shipment, replace: Bool, _ context: TransferContext) throws -> TransferReport {
        if !replace, FileManager.default.fileExists(atPath: url.path) {
            throw RemoteError(
                .nameInUse, operation: "write a bundle", place: place, expected: "no file of that name", found: "one",
                advice: "choose another name, or replace it with --replace")
        }
        let consignment = try Consignment(shipment, isCancelled: context.isCancelled)
        let temporary = url.deletingLastPathComponent().path
            + "/.\(url.lastPathComponent).\(String(UInt32.random(in: .min ... .max), radix: 36))"
        do {
            let writer = try BundleWriter(temporary)
            try writer.write(consignment, of: shipment, context)
            try writer.sync()
            guard rename(temporary, url.path) == 0 else {
                throw BundleWriter.failure(place, String(cString: strerror(errno)))
            }
        } catch {
            unlink(temporary)
            throw error
        }
        var report = TransferReport()
        report.artifactCount = shipment.closure.artifacts.count
        report.movedBytes = consignment.byteCount
        report.movedBlobCount = consignment.parts.count { if case .blob = $0.content { true } else { false } }
        return report
    }

    public func pull(_ name: String?, kind: String?, into store: Store, lineage: Bool, _ context: TransferContext) throws
        -> Delivery
    {
        let reader = try BundleReader(url.path)
        let arrival = try Arrival(reader.manifest(), from: reader)
        if let name, name != arrival.name {
            throw RemoteError(
                .notFound, operation: "pull '\(RemoteError.printable(name, limit: 80))'", place: place,
                expected: arrival.name.map { "'\($0)'" } ?? "no name",
                found: "another name", advice: "pull the bundle without a name; --name gives it another one here")
        }
        let (closure, report) = try arrival.take(into: store, lineage: lineage, context)
        return Delivery(closure, name: arrival.name, report: report)
    }
}
