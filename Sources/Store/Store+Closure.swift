/// An artifact with everything that belongs to it.
public struct ArtifactClosure: Sendable {
    /// Each artifact after all those that it mentions; the one that was asked for stands last.
    public private(set) var artifacts: [(digest: Digest, artifact: Artifact)] = []
    /// Inputs that are not to be had, so that the lineage ends before them.
    public private(set) var absent: Set<Digest> = []

    /// An artifact, its parts and, with `lineage`, all that they were made from.
    ///
    /// - Parameter artifact: the manifest of a digest; nil if it is not to be had, which must not be so for `root`.
    public init(of root: Digest, lineage: Bool, artifact: (Digest) throws -> Artifact?) throws {
        var seen: Set<Digest> = [root]
        // Depth first without recursion: a chain of artifacts may be long.
        var path: [(digest: Digest, artifact: Artifact, rest: [(digest: Digest, isInput: Bool)])] = []
        func enter(_ digest: Digest) throws -> Bool {
            guard let artifact = try artifact(digest) else { return false }
            let parts = artifact.mentioned.map { ($0, false) }
            let inputs = lineage ? artifact.provenance.inputs.sorted { $0.key < $1.key }.map { ($0.value, true) } : []
            path.append((digest, artifact, (inputs + parts).reversed()))
            return true
        }
        guard try enter(root) else {
            throw StoreError(.notFound, operation: "read an artifact", expected: "\(root)", found: "nothing")
        }
        while let top = path.last {
            guard let (next, isInput) = path[path.count - 1].rest.popLast() else {
                artifacts.append((top.digest, top.artifact))
                path.removeLast()
                continue
            }
            guard seen.insert(next).inserted else { continue }
            if try !enter(next), isInput { absent.insert(next) }
        }
    }
}

extension Artifact {
    /// The digests in the attributes, in the order of their paths: an artifact's parts, such as the model that a run
    /// made, are named there. Not every digest is an artifact's.
    public var mentioned: [Digest] {
        var found: [Digest] = []
        func visit(_ value: JSONValue) {
            switch value {
            case .string(let text): if let digest = Digest(text) { found.append(digest) }
            case .array(let values): values.forEach(visit)
            case .object(let members):
                for (_, member) in members.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) { visit(member) }
            default: break
            }
        }
        visit(attributes)
        return found
    }
}

extension Store {
    /// Whether an artifact's manifest lies here.
    public func contains(artifact digest: Digest) throws -> Bool { try manifestReader.facts(digest) != nil }

    /// An artifact, its parts and, with `lineage`, all that they were made from.
    ///
    /// - Throws: `StoreError` with code `notFound` if the artifact itself is not here, `damaged` for a manifest that is
    ///   not whole.
    public func closure(of digest: Digest, lineage: Bool = true) throws -> ArtifactClosure {
        try ArtifactClosure(of: digest, lineage: lineage) { try contains(artifact: $0) ? artifact($0) : nil }
    }
}
