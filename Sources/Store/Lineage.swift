/// Who was made from whom. A run that mentions its model in its attributes hangs on it, too.
struct Lineage {
    private var children: [Digest: Set<Digest>] = [:]

    init(_ artifacts: [Digest: Artifact]) {
        for (digest, artifact) in artifacts {
            for input in artifact.provenance.inputs.values { children[input, default: []].insert(digest) }
            for other in artifact.attributes.digests where artifacts[other] != nil || artifact.parts.contains(other) {
                children[other, default: []].insert(digest)
            }
        }
    }

    /// Everything made from `roots`, directly or through others, without the roots.
    func descendants(of roots: [Digest]) -> Set<Digest> {
        var found: Set<Digest> = []
        var waiting = roots
        while let digest = waiting.popLast() {
            for child in children[digest] ?? [] where found.insert(child).inserted { waiting.append(child) }
        }
        return found.subtracting(roots)
    }
}
