/// The kinds of references and artifacts that the upkeep of a store treats in their own way. What else is named is simply kept.
public enum StoreConventions {
    /// References to the newest checkpoint of an unfinished run, named by the key of its stage.
    public static let resumeKind = "progress"
    /// References that go with the remembered stage of the same name.
    public static let sideKinds: Set<String> = ["timing"]
    /// Artifacts that a run can go on from. The provenance is the run's, `attributes.state.step` the updates done and
    /// `attributes.state.best_step` the step with the best metric so far.
    public static let checkpointKind = "checkpoint"
    /// Small results that are kept as long as everything that they were computed from.
    public static let resultKinds: Set<String> = ["evaluation"]
    /// Artifacts of finished runs.
    public static let runKind = "run"

    /// Attributes that name an artifact which another is nothing without, by kind: the model that a run made.
    static let partNames: [String: [String]] = [runKind: ["model"]]

    /// Whether a reference of this kind keeps its artifact from collection by itself.
    static func keeps(_ kind: String) -> Bool { kind != Store.stageKind && !sideKinds.contains(kind) }

    /// Whether the earlier entries of a reference of this kind are worth keeping: those of a resume point are not.
    static func hasHistory(_ kind: String) -> Bool { keeps(kind) && kind != resumeKind }
}

extension Artifact {
    /// Artifacts that have to be there for this one to be whole. Inputs are not among them: a lineage may end.
    var parts: Set<Digest> {
        Set((StoreConventions.partNames[kind] ?? []).compactMap { attributes[$0]?.stringValue.flatMap { Digest($0) } })
    }
}
