import ArgumentParser
import Foundation
import Pipeline
import Store

struct StoreListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists what has a name, newest first.",
        discussion: """
              pipeline store list
              pipeline store list --kind model
            """)

    @Option(
        help: ArgumentHelp(
            "All artifacts of this kind, also those without a name: model, dataset, run, checkpoint, evaluation.",
            valueName: "kind"))
    var kind: String?

    @Flag(help: "All artifacts, also those without a name.")
    var all = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try Session(common, .reading, title: "list")
        if let kind, !ReferenceName.isValid(kind: kind) {
            throw PipelineError(
                .usage, "'\(FormatError.printable(kind))' cannot be a kind",
                advice: "Kinds are model, dataset, run, checkpoint, evaluation.")
        }
        let entries = try session.store.list(kinds: kind.map { [$0] } ?? []).filter {
            all || kind != nil || !ArtifactNames.shown($0.references).isEmpty
        }
        let unlisted = ArtifactNames.shown(try session.store.unlistedNames()).filter { name in kind.map { name.hasPrefix($0 + "/") } ?? true }
        // Of very many artifacts only what is asked for is made.
        let json: JSONValue = [
            "artifacts": .array(
                (common.json ? entries : []).map { entry in
                    [
                        "digest": .string(entry.digest.description), "kind": .string(entry.kind),
                        "stage": .string(entry.stage),
                        "names": .array(ArtifactNames.shown(entry.references).map { .string($0) }),
                        "created": .number(entry.created.timeIntervalSince1970),
                        "logical_bytes": .integer(Int64(entry.logicalBytes)),
                    ]
                }),
            "unlisted": .array(unlisted.map { .string($0) }),
        ]
        var table = TextTable([.left, .left, .left, .right, .left], indentation: 0)
        table.add("kind", "name", "digest", "size", "made")
        for entry in common.json ? [] : entries {
            table.add(
                entry.kind, ArtifactNames.bare(entry.references, kind: entry.kind), entry.digest.short,
                NumberText.bytes(entry.logicalBytes),
                NumberText.moment(entry.created))
        }
        var text = entries.isEmpty ? "" : table.text, next = session.command("store", "show", "NAME")
        if !unlisted.isEmpty {
            text += unlisted.map { "lost or damaged: \($0)\n" }.joined()
            next = session.command("store", "verify")
        } else if entries.isEmpty {
            text = "nothing\(kind.map { " of kind \($0)" } ?? "")\n"
            if kind == nil { next = session.command("import", "SOURCE", "--name", "MODEL") }
        }
        try session.finish(Report(json: json, text: text, next: next))
    }
}

/// The names of artifacts as people know them.
enum ArtifactNames {
    /// References that stand for something a person named: `kind/name`; on demand also where unfinished runs go on from.
    static func shown(_ references: [String], withResumePoints: Bool = false) -> [String] {
        let hidden = ["timing", Store.stageKind] + (withResumePoints ? [] : [StoreConventions.resumeKind])
        return references.filter { reference in !hidden.contains { reference.hasPrefix($0 + "/") } }
    }

    /// Names without the artifact's own kind in front.
    static func bare(_ references: [String], kind: String) -> String {
        let names = shown(references).map { $0.hasPrefix(kind + "/") ? String($0.dropFirst(kind.count + 1)) : $0 }
        return names.isEmpty ? "-" : names.joined(separator: ", ")
    }
}
