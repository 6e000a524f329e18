import Foundation
import Store

/// Another store in a folder, which can be used as it is.
public struct FolderRemote: Remote {
    private let url: URL
    private let tool: String?

    public init(_ url: URL, tool: String? = nil) { (self.url, self.tool) = (url, tool) }

    public var place: String { url.path }

    public func push(_ shipment: Shipment, replace: Bool, _ context: TransferContext) throws -> TransferReport {
        let store = try Store(at: url, tool: tool, note: context.note)
        let kind = shipment.artifact.kind
        if !replace, let old = try store.reference(kind: kind, name: shipment.name), old.digest != shipment.digest {
            throw RemoteError.nameInUse(shipment.name, kind, old.digest, place)
        }
        let report = try store.fetch(
            shipment.closure, from: shipment.store, isCancelled: context.isCancelled, progress: context.progress)
        try store.setReference(kind: kind, name: shipment.name, to: shipment.digest, replace: replace)
        return report
    }

    public func pull(_ name: String?, kind: String?, into store: Store, lineage: Bool, _ context: TransferContext) throws
        -> Delivery
    {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw RemoteError(
                .notFound, operation: "pull", place: place, expected: "a folder with a store, or a bundle", found: "nothing",
                advice: "check the path")
        }
        let other = try Store(at: url, mode: .readOnly, note: context.note)
        let name = try name ?? onlyName(other, kind)
        let found = try other.resolve(name, kinds: kind.map { [$0] } ?? [])
        let closure = try other.closure(of: found.digest, lineage: lineage)
        let report = try store.fetch(closure, from: other, isCancelled: context.isCancelled, progress: context.progress)
        return Delivery(closure, name: found.name, report: report)
    }

    private func onlyName(_ store: Store, _ kind: String?) throws -> String {
        let kinds = try kind.map { [$0] } ?? store.referenceKinds()
        // Names that are digests are the stages' own notes.
        let names = try Set(kinds.flatMap { try store.references(kind: $0).map(\.name) }).filter { Digest(hex: $0) == nil }.sorted()
        guard names.count == 1 else { throw RemoteError.nameNeeded(names, place) }
        return names[0]
    }
}

extension RemoteError {
    static func nameInUse(_ name: String, _ kind: String, _ digest: Digest?, _ place: String) -> RemoteError {
        RemoteError(
            .nameInUse, operation: "give the name '\(name)'", place: place, expected: "a free name",
            found: "\(kind) \(digest?.short ?? "of unknown origin")",
            advice: "choose another name with REMOTE:NAME, or replace it with --replace")
    }

    static func nameNeeded(_ names: [String], _ place: String) -> RemoteError {
        let shown = names.prefix(10).map { printable($0, limit: 80) }.joined(separator: ", ")
        return RemoteError(
            names.isEmpty ? .notFound : .ambiguous, operation: "choose what to pull", place: place, expected: "one artifact",
            found: names.isEmpty ? "none" : names.count > 10 ? "\(shown) and \(names.count - 10) more" : shown,
            advice: names.isEmpty ? "push something there first" : "say which: REMOTE:NAME")
    }
}
