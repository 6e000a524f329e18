/// How an artifact came to be: everything that decides its content, and nothing else.
///
/// Equal work gives an equal artifact digest, on any machine and at any time. So the moment and the version of the
/// tool are not here but
/// in the `Reference` that names the artifact.
public struct Provenance: Hashable, Sendable {
    /// `import`, `prepare`, `adapt`, …
    public var stage: String
    public var stageVersion: Int
    public var recipe: JSONValue
    /// The artifacts read, by the role they played.
    public var inputs: [String: Digest]
    /// Where foreign data came from, as told by the source.
    public var source: JSONValue
    /// The licence as told by the source; nil if it told none.
    public var license: String?

    public init(
        stage: String, stageVersion: Int, recipe: JSONValue = [:], inputs: [String: Digest] = [:],
        source: JSONValue = .null, license: String? = nil
    ) {
        self.stage = stage
        self.stageVersion = stageVersion
        self.recipe = recipe
        self.inputs = inputs
        self.source = source
        self.license = license
    }

    /// The key under which a stage's result is memoised: the digest of stage, version, recipe and inputs.
    public func stageKey() throws -> Digest {
        let key: JSONValue = [
            "inputs": .object(inputs.mapValues { .string($0.description) }), "recipe": recipe, "stage": .string(stage),
            "stageVersion": .integer(Int64(stageVersion)),
        ]
        return Digest(of: try key.canonicalBytes())
    }
}
