import ArgumentParser
import Foundation
import Pipeline
import Store

struct StoreDiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Compares two artifacts: models tensor by tensor, runs by recipe, data and metrics.",
        discussion: """
            The distance of two tensors is ‖a − b‖ / ‖a‖, computed in double precision.

              pipeline store diff minilm mrpc-minilm
              pipeline store diff run/first run/second
            """)

    @Argument(help: ArgumentHelp("A name, kind/name, a digest, or at least eight digits of one.", valueName: "a"))
    var first: String

    @Argument(help: ArgumentHelp("The same.", valueName: "b"))
    var second: String

    @Option(help: ArgumentHelp("Of several kinds that have a name, this one; 'model' takes a run's adapted model.", valueName: "kind"))
    var kind: String?

    @Flag(help: "List every part that differs.")
    var all = false

    @OptionGroup var common: CommonOptions

    /// How many parts are shown to people.
    private static let shown = 20

    func run() throws {
        let session = try Session(common, .reading, title: "diff")
        let a = try Self.find(first, kind, session.store)
        let b = try Self.find(second, kind, session.store)
        let difference = try session.perform {
            try session.store.difference(a.artifact, b.artifact) { [progress = session.progress] done, total in
                progress.progress(done: done, total: total, unit: "parts")
            }
        }
        let parts = difference.ranges.filter { $0.change != .equal }.sorted { Self.order($0) < Self.order($1) }
        let json: JSONValue = [
            "equal": .bool(a.digest == b.digest), "first": Self.json(a), "second": Self.json(b),
            "stages": difference.stages.map { ["first": .string($0.first), "second": .string($0.second)] } ?? .null,
            "inputs": .array(
                difference.inputs.map { input in
                    [
                        "role": .string(input.role), "first": input.first.map { .string($0.description) } ?? .null,
                        "second": input.second.map { .string($0.description) } ?? .null,
                    ]
                }),
            "recipe": Self.json(difference.recipe), "attributes": Self.json(difference.attributes),
            "counts": .object(
                Dictionary(
                    uniqueKeysWithValues: [ArtifactDifference.Change.equal, .changed, .reshaped, .onlyFirst, .onlySecond].map {
                        ($0.rawValue, .integer(Int64(difference.count($0))))
                    })),
            "parts": .array(
                parts.map { part in
                    [
                        "name": .string(part.name), "change": .string(part.change.rawValue), "distance": JSONValue(finite: part.distance),
                        "changed_elements": part.changedCount.map { .integer(Int64($0)) } ?? .null,
                    ]
                }),
        ]
        try session.finish(
            Report(json: json, text: text(a, b, difference, parts), next: Self.next(a, b, parts.count, session)))
    }

    private typealias Found = (digest: Digest, artifact: Artifact)

    /// A run's adapted model where models are asked for.
    private static func find(_ text: String, _ kind: String?, _ store: Store) throws -> Found {
        let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
        let wanted = parts.count == 2 ? parts[0] : kind
        if wanted == ModelDescription.artifactKind {
            let model = try StoredModel.find(parts.last ?? text, in: store, preferring: .model)
            return (model.digest, model.artifact)
        }
        let found = try store.resolve(parts.last ?? text, kinds: wanted.map { [$0] } ?? [])
        return (found.digest, found.artifact)
    }

    private static func order(_ part: ArtifactDifference.Range) -> (Int, Double, String) {
        let rank: [ArtifactDifference.Change: Int] = [.onlyFirst: 0, .onlySecond: 0, .reshaped: 1, .changed: 2, .equal: 3]
        let distance = part.distance.map { $0.isNaN ? .infinity : $0 } ?? 0
        return (rank[part.change]!, -distance, part.name)
    }

    private static func json(_ found: Found) -> JSONValue {
        ["digest": .string(found.digest.description), "kind": .string(found.artifact.kind)]
    }

    private static func json(_ leaves: [JSONDifference.Leaf]) -> JSONValue {
        .array(
            leaves.map { leaf in
                var members: [String: JSONValue] = ["path": .string(leaf.path)]
                members["first"] = leaf.first
                members["second"] = leaf.second
                return .object(members)
            })
    }

    private func text(_ a: Found, _ b: Found, _ difference: ArtifactDifference, _ parts: [ArtifactDifference.Range]) -> String {
        var text = "a  \(a.artifact.kind) \(a.digest.short)\nb  \(b.artifact.kind) \(b.digest.short)\n"
        if a.digest == b.digest { return text + "one and the same\n" }
        func table(_ title: String, _ rows: [(String, String, String)]) {
            guard !rows.isEmpty else { return }
            var table = TextTable([.left, .left, .left])
            table.add("", "a", "b")
            for row in rows { table.add(row.0, row.1, row.2) }
            text += "\n\(title)\n" + table.text
        }
        func value(_ json: JSONValue?) -> String {
            guard let json else { return "-" }
            let text = json.stringValue.map { Digest($0)?.short ?? $0 } ?? (try? json.canonicalText()) ?? ""
            return FormatError.printable(text, limit: 40)
        }
        func rows(_ leaves: [JSONDifference.Leaf]) -> [(String, String, String)] {
            leaves.map { (FormatError.printable($0.path, limit: 60), value($0.first), value($0.second)) }
        }
        table("made by", difference.stages.map { [("stage", $0.first, $0.second)] } ?? [])
        table("made from", difference.inputs.map { ($0.role, $0.first?.short ?? "-", $0.second?.short ?? "-") })
        table("recipe", rows(difference.recipe))
        table("attributes", rows(difference.attributes))
        guard !difference.ranges.isEmpty else { return text }
        let counts = [
            (difference.count(.equal), "equal"), (difference.count(.changed), "changed"), (difference.count(.reshaped), "reshaped"),
            (difference.count(.onlyFirst), "only in a"), (difference.count(.onlySecond), "only in b"),
        ].filter { $0.0 > 0 }
        text += "\nparts: " + counts.map { "\(NumberText.count($0.0)) \($0.1)" }.joined(separator: ", ") + "\n"
        var list = TextTable([.left, .left, .right, .right])
        if !parts.isEmpty { list.add("", "", "distance", "elements changed") }
        for part in all ? parts[...] : parts.prefix(Self.shown) {
            list.add(
                FormatError.printable(part.name), part.change.rawValue,
                part.distance.map { $0.isFinite ? String(format: "%.3g", $0) : "\($0)" } ?? "",
                part.changedCount.map { NumberText.count($0) } ?? "")
        }
        text += list.text
        if !all, parts.count > Self.shown { text += "  and \(parts.count - Self.shown) more\n" }
        return text
    }

    private static func next(_ a: Found, _ b: Found, _ count: Int, _ session: Session) -> String {
        let runs = RunRecord.artifactKind
        if a.artifact.kind == runs, b.artifact.kind == runs {
            return session.command("store", "diff", a.digest.short, b.digest.short, "--kind", "model")
        }
        return count > shown
            ? session.command("store", "diff", a.digest.short, b.digest.short, "--all") : session.command("store", "show", b.digest.short)
    }
}
