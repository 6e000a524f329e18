/// What goes with some names.
public struct RemovalEstimate: Hashable, Sendable {
    /// Stored bytes that the next collection frees because of it, at least.
    public let byteCount: Int
    /// Stored bytes that stay only because something else is kept as a difference from them; a collection frees a part of these if the
    /// differences take less in full.
    public let baseByteCount: Int
    /// Artifacts that it removes because of it, by kind.
    public let artifacts: [String: Int]
}

extension Store {
    /// What the next collection removes in addition if these names are gone.
    ///
    /// - Throws: `StoreError` with code `damaged` for a reference that cannot be read, except those to be removed.
    public func removalEstimate(of names: [(kind: String, name: String)]) throws -> RemovalEstimate {
        let graph = try CollectionGraph(self, passingOver: Set(names.map { .init(kind: $0.kind, name: $0.name) }))
        let retention = try retention()
        return Self.estimate(graph, retention, Reachability(graph, retention), without: names.map { .init(kind: $0.kind, name: $0.name) })
    }

    /// For each name what its removal alone would free, most first. Remembered stages are not among them.
    public func removalEstimates() throws -> [(kind: String, name: String, estimate: RemovalEstimate)] {
        let graph = try CollectionGraph(self)
        let retention = try retention()
        let kept = Reachability(graph, retention)
        return graph.references.filter { StoreConventions.keeps($0.kind) }.map { reference in
            let name = Reachability.Name(reference)
            return (reference.kind, reference.name, Self.estimate(graph, retention, kept, without: [name]))
        }.sorted { ($1.estimate.byteCount, $0.kind, $0.name) < ($0.estimate.byteCount, $1.kind, $1.name) }
    }

    private static func estimate(
        _ graph: CollectionGraph, _ retention: Retention, _ kept: Reachability, without names: [Reachability.Name]
    ) -> RemovalEstimate {
        let rest = Reachability(graph, retention, without: Set(names))
        var kinds: [String: Int] = [:]
        for digest in kept.artifacts.subtracting(rest.artifacts) { kinds[graph.nodes[digest]?.kind ?? "unreadable", default: 0] += 1 }
        let bases = rest.bases.subtracting(kept.bases).reduce(0) { $0 + (graph.blobs[$1]?.byteCount ?? 0) }
        return RemovalEstimate(byteCount: kept.storedBytes - rest.storedBytes, baseByteCount: bases, artifacts: kinds)
    }

    /// Whether there is a file for a name, readable or not.
    public func hasReference(kind: String, name: String) throws -> Bool {
        try references.names(kind: kind).contains(name)
    }
}
