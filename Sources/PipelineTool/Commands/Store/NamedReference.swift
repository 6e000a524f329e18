import Pipeline
import Store

/// A name that people gave, found by what they type: `NAME`, or `KIND/NAME` where several kinds have it.
///
/// A reference whose file is damaged is found too, so that it can be removed.
struct NamedReference: Hashable {
    let kind: String
    let name: String

    var text: String { "\(kind)/\(name)" }

    /// - Throws: `PipelineError` with code `usage` when nothing or more than one thing has the name.
    init(_ text: String, kind: String?, in store: Store) throws {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts.last ?? ""
        let wanted = parts.count == 2 ? parts[0] : kind
        let kinds = try store.referenceKinds().filter { kind in
            try (wanted.map { $0 == kind } ?? !ArtifactNames.shown([kind + "/"]).isEmpty) && store.hasReference(kind: kind, name: name)
        }
        guard let found = kinds.first else {
            let near = try? store.resolve(name, kinds: wanted.map { [$0] } ?? [])
            throw PipelineError(
                .usage, "nothing has the name '\(FormatError.printable(text))'",
                advice: near == nil
                    ? "See what there is with 'pipeline store list'." : "That is a digest; this command takes a name.")
        }
        guard kinds.count == 1 else {
            throw PipelineError(
                .usage, "'\(FormatError.printable(text))' is the name of a \(kinds.joined(separator: " and of a "))",
                advice: "Say which: \(kinds.map { "\($0)/\(name)" }.joined(separator: " or ")).")
        }
        (self.kind, self.name) = (found, name)
    }
}
