import Store

/// Refuses early what would be refused late: a name that is taken.
public enum NameInUse {
    /// - Throws: `PipelineError` with code `usage` for what cannot be a name, or could be the beginning of a digest.
    public static func checkForm(_ name: String) throws {
        guard ReferenceName.isValid(name: name) else {
            throw PipelineError(
                .usage, "'\(FormatError.printable(name))' cannot be a name",
                advice: "Use letters, digits, '.', '_' and '-', not beginning with '.' or '-', at most 128.")
        }
        guard !ReferenceName.looksLikeDigest(name) else {
            throw PipelineError(
                .usage, "'\(name)' cannot be a name, as it could be the beginning of a digest",
                advice: "Add a letter beyond 'f', or '-' or '_'.")
        }
    }

    /// - Parameter key: of the stage that is about to run; a name that stands for what it made before, or for what is not there any more,
    ///   is not in the way.
    /// - Parameter mayMend: whether the stage may turn out to make again what the name stands for, which is then not in the way if it is damaged.
    static func check(
        _ store: Store, kind: String, name: String, replaces: Bool, making key: Digest? = nil, mayMend: Bool = false
    ) throws {
        try checkForm(name)
        guard !replaces, let reference = try store.reference(kind: kind, name: name) else { return }
        if let key, (try? store.artifact(reference.digest).provenance.stageKey()) == key { return }
        if try !store.contains(artifact: reference.digest) { return }
        if mayMend, try !store.isWhole(reference.digest, checksBytes: true) { return }
        throw PipelineError(.usage, "the \(kind) name '\(name)' is in use",
                            advice: "Choose another name, or give --replace: the old one stays in the name's history.")
    }

    /// Gives a name to what a stage made, unless it has it.
    static func give(_ store: Store, kind: String, name: String, to digest: Digest, replaces: Bool) throws {
        let old = try store.reference(kind: kind, name: name)
        if old?.digest == digest { return }
        try check(store, kind: kind, name: name, replaces: replaces)
        // What it stood for may be replaced, or is not there any more. A name that somebody else takes meanwhile is theirs.
        try store.setReference(kind: kind, name: name, to: digest, replace: replaces || old != nil)
    }
}
