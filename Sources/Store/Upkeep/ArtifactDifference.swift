import Foundation

/// What two artifacts have in common and what not.
public struct ArtifactDifference: Sendable {
    public enum Change: String, Hashable, Sendable {
        case equal
        /// Other bytes of the same type and shape.
        case changed
        /// Another element type, shape or length.
        case reshaped
        case onlyFirst = "only-first"
        case onlySecond = "only-second"
    }

    public struct Range: Hashable, Sendable {
        public let name: String
        public let change: Change
        public let first: BlobReference?
        public let second: BlobReference?
        /// ‖a − b‖ / ‖a‖ of changed floating-point tensors; infinite for a zero `a`, NaN where either has one.
        public internal(set) var distance: Double?
        /// Elements that differ, of those.
        public internal(set) var changedCount: Int?
    }

    /// Inputs by role that are not the same in both.
    public struct Input: Hashable, Sendable {
        public let role: String
        public let first: Digest?
        public let second: Digest?
    }

    public let ranges: [Range]
    public let inputs: [Input]
    public let recipe: [JSONDifference.Leaf]
    public let attributes: [JSONDifference.Leaf]
    /// Stage and version where they differ, as text.
    public let stages: (first: String, second: String)?

    public func count(_ change: Change) -> Int { ranges.reduce(0) { $0 + ($1.change == change ? 1 : 0) } }
}

extension Store {
    /// Compares two artifacts: recipe, inputs, attributes, and range by range what they are made of. Two tensors at a time are in memory.
    ///
    /// - Throws: `StoreError` with code `damaged` for bytes that are not what they were.
    public func difference(
        _ first: Artifact, _ second: Artifact, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws -> ArtifactDifference {
        let names = Set(first.blobs.map(\.name)).union(second.blobs.map(\.name)).sorted()
        let (a, b) = (Self.byName(first), Self.byName(second))
        var ranges: [ArtifactDifference.Range] = []
        for (done, name) in names.enumerated() {
            ranges.append(try compare(name, a[name], b[name]))
            progress(done + 1, names.count)
        }
        let (from, to) = (first.provenance, second.provenance)
        let roles = Set(from.inputs.keys).union(to.inputs.keys).sorted()
        func stage(_ provenance: Provenance) -> String { "\(provenance.stage), version \(provenance.stageVersion)" }
        return ArtifactDifference(
            ranges: ranges,
            inputs: roles.compactMap { role in
                from.inputs[role] == to.inputs[role]
                    ? nil : .init(role: role, first: from.inputs[role], second: to.inputs[role])
            },
            recipe: JSONDifference.leaves(from.recipe, to.recipe),
            attributes: JSONDifference.leaves(first.attributes, second.attributes),
            stages: stage(from) == stage(to) ? nil : (stage(from), stage(to)))
    }

    private static func byName(_ artifact: Artifact) -> [String: BlobReference] {
        Dictionary(artifact.blobs.map { ($0.name, $0) }) { first, _ in first }
    }

    private func compare(_ name: String, _ a: BlobReference?, _ b: BlobReference?) throws -> ArtifactDifference.Range {
        func range(_ change: ArtifactDifference.Change, _ distance: TensorDistance? = nil) -> ArtifactDifference.Range {
            .init(
                name: name, change: change, first: a, second: b, distance: distance?.relative,
                changedCount: distance?.changedCount)
        }
        guard let a else { return range(.onlySecond) }
        guard let b else { return range(.onlyFirst) }
        guard a.elementType == b.elementType, a.shape == b.shape, a.byteCount == b.byteCount else { return range(.reshaped) }
        if a.digest == b.digest, a.offset == b.offset { return range(.equal) }
        let (x, y) = (try data(a), try data(b))
        if x == y { return range(.equal) }
        guard let type = a.elementType.flatMap(ElementType.init(rawValue:)) else { return range(.changed) }
        let distance = x.withUnsafeBytes { x in y.withUnsafeBytes { y in TensorDistance(x, y, type) } }
        return range(.changed, distance)
    }
}
