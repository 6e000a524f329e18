/// What a collection keeps, and because of what.
///
/// 1. What a name stands for, and the newest entries of its history; resume points; what living processes hold.
/// 2. What those mention in their attributes and, with lineage, what they were made from, to the end.
/// 3. Remembered stages whose artifact is kept, and results whose inputs are all kept. Remembering alone keeps nothing else.
/// 4. Of each kept run, finished or not, the newest checkpoints and the best one, as far as the retention says.
/// 5. The newest of the rest that fit into the spare bytes.
/// 6. The blobs of all these, and the bases of those that are deltas and take less so than in full.
struct Reachability {
    /// A reference by its path.
    struct Name: Hashable, Comparable {
        var kind: String
        var name: String

        static func < (left: Name, right: Name) -> Bool { (left.kind, left.name) < (right.kind, right.name) }
    }

    private let graph: CollectionGraph
    private let retention: Retention
    private(set) var artifacts: Set<Digest> = []
    /// The blobs that kept artifacts name.
    private(set) var blobs: Set<Digest> = []
    /// Blobs that only serve as bases of kept ones.
    private(set) var bases: Set<Digest> = []
    private(set) var names: Set<Name> = []
    /// Artifacts that a name stands for or that a kept one is nothing without, and that are not there.
    private(set) var missing: Set<Digest> = []

    /// - Parameter removed: names to treat as if they were gone.
    init(_ graph: CollectionGraph, _ retention: Retention, without removed: Set<Name> = []) {
        self.graph = graph
        self.retention = retention
        let references = graph.references.filter { !removed.contains(Name($0)) }
        for reference in references where StoreConventions.keeps(reference.kind) {
            names.insert(Name(reference))
            keep(reference.digest)
            if !graph.has(reference.digest) { missing.insert(reference.digest) }
            guard StoreConventions.hasHistory(reference.kind) else { continue }
            for entry in reference.history.prefix(retention.history) { keep(entry.digest) }
        }
        for digest in graph.held.sorted() { keep(digest) }
        keepRemembered(references)
        keepCheckpoints()
        keepSpare()
        keepRemembered(references)
        for digest in blobs {
            if let base = graph.blobs[digest]?.base, !blobs.contains(base) { bases.insert(base) }
        }
    }

    private mutating func keep(_ root: Digest) {
        var waiting = [root]
        while let digest = waiting.popLast() {
            guard graph.has(digest), artifacts.insert(digest).inserted else { continue }
            guard let node = graph.nodes[digest] else { continue }
            missing.formUnion(node.parts.filter { !graph.has($0) })
            blobs.formUnion(node.blobs)
            waiting += node.mentions
            if retention.keepsLineage { waiting += node.inputs }
        }
    }

    private mutating func keepRemembered(_ references: [Reference]) {
        let stages = references.filter { $0.kind == Store.stageKind }
        var isChanged = true
        while isChanged {
            isChanged = false
            for reference in stages where !names.contains(Name(reference)) {
                if !artifacts.contains(reference.digest) {
                    guard let node = graph.nodes[reference.digest], StoreConventions.resultKinds.contains(node.kind),
                        !node.inputs.isEmpty, node.inputs.isSubset(of: artifacts)
                    else { continue }
                    keep(reference.digest)
                }
                names.insert(Name(reference))
                isChanged = true
            }
        }
        for reference in references where StoreConventions.sideKinds.contains(reference.kind) {
            let isNeeded =
                names.contains(Name(kind: Store.stageKind, name: reference.name))
                || names.contains(Name(kind: StoreConventions.resumeKind, name: reference.name))
                || artifacts.contains(reference.digest)
            if isNeeded {
                names.insert(Name(reference))
                keep(reference.digest)
            }
        }
    }

    private mutating func keepCheckpoints() {
        guard retention.lastCheckpoints > 0 || retention.keepsBest else { return }
        var runs: [Digest: [(digest: Digest, node: CollectionGraph.Node)]] = [:]
        for (digest, node) in graph.nodes where node.kind == StoreConventions.checkpointKind {
            if let key = node.key { runs[key, default: []].append((digest, node)) }
        }
        for (key, checkpoints) in runs {
            guard
                names.contains(Name(kind: Store.stageKind, name: key.hex))
                    || names.contains(Name(kind: StoreConventions.resumeKind, name: key.hex))
            else { continue }
            let sorted = checkpoints.sorted { ($0.node.step ?? -1, $0.digest) > ($1.node.step ?? -1, $1.digest) }
            for checkpoint in sorted.prefix(retention.lastCheckpoints) { keep(checkpoint.digest) }
            if retention.keepsBest, let best = sorted.first?.node.bestStep,
                let checkpoint = sorted.first(where: { $0.node.step == best })
            {
                keep(checkpoint.digest)
            }
        }
    }

    private mutating func keepSpare() {
        guard retention.spareBytes > 0 else { return }
        var room = retention.spareBytes
        let rest = graph.nodes.filter { !artifacts.contains($0.key) }
            .sorted { ($0.value.created, $0.key) > ($1.value.created, $1.key) }
        for (digest, _) in rest where !artifacts.contains(digest) {
            var attempt = self
            attempt.keep(digest)
            let cost = attempt.storedBytes - storedBytes
            guard cost <= room else { break }
            room -= cost
            self = attempt
        }
    }

    /// The files of kept artifacts and blobs.
    var storedBytes: Int {
        let all = blobs.union(blobs.compactMap { graph.blobs[$0]?.base })
        return all.reduce(0) { $0 + (graph.blobs[$1]?.byteCount ?? 0) }
            + artifacts.reduce(0) { $0 + (graph.nodes[$1]?.byteCount ?? graph.unreadable[$1]?.byteCount ?? 0) }
    }

    /// Lets go of bases whose differences are full from now on.
    mutating func release(_ released: [BaseRelease]) { bases.subtract(released.map(\.base)) }

    func keeps(blob: Digest) -> Bool { blobs.contains(blob) || bases.contains(blob) }
}

extension Reachability.Name {
    init(_ reference: Reference) { self.init(kind: reference.kind, name: reference.name) }

    var description: String { "\(kind)/\(name)" }
}
