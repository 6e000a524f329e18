import ArgumentParser
import Foundation
import Pipeline
import Store

struct StoreRepairCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair", abstract: "Looks for what is damaged or missing and puts it back.",
        discussion: """
            Bytes are taken from another store, from a model's folder or weights, or from any file with the right content, and \
            checked before they are used. What is not found is named with the stage that makes it again. Without --run it only looks.

              pipeline store repair --from /backup/pipeline
              pipeline store repair --from ./all-MiniLM-L6-v2 --run
            """)

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Another store, a model's folder, a weights file, or files to look through.", valueName: "path"))
    var from: [String] = []

    @Flag(name: .customLong("run"), help: "Put it back.")
    var changes = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try Session(common, .reading, title: "repair")
        let sources = try RepairSources(from, session)
        let report = try session.perform {
            try session.store.repair(from: sources.sources, changes: changes) { [progress = session.progress] moment in
                progress.progress(done: moment.checkedBytes, total: moment.totalBytes, unit: "", amount: NumberText.bytes)
            }
        }
        try session.finish(Report(json: json(report, session), text: text(report), next: next(report, session)))
        if report.lostCount > 0 { throw DamageFound(count: report.lostCount) }
    }

    private func json(_ report: RepairReport, _ session: Session) -> JSONValue {
        [
            "run": .bool(changes), "mended": .integer(Int64(report.mendedCount)), "lost": .integer(Int64(report.lostCount)),
            "items": .array(
                report.items.map { item in
                    [
                        "path": .string(item.path), "outcome": .string(Self.name(item.outcome)),
                        "source": Self.source(item.outcome).map { .string($0) } ?? .null,
                    ]
                }),
            "remakes": .array(
                report.remakes.map { remake in
                    [
                        "digest": .string(remake.digest.description), "kind": .string(remake.kind),
                        "names": .array(remake.names.map { .string($0) }), "stage": .string(remake.provenance.stage),
                        "stage_version": .integer(Int64(remake.provenance.stageVersion)), "recipe": remake.provenance.recipe,
                        "inputs": .object(remake.provenance.inputs.mapValues { .string($0.description) }),
                        "missing_inputs": .array(remake.missingInputs.map { .string($0.description) }),
                        "command": RemakeCommand.words(remake).map { .string(session.command(words: $0)) } ?? .null,
                    ]
                }),
            "unknown": .array(report.unknown.map { .string($0.description) }),
            "forgotten": .array(report.forgotten.map { .string($0) }),
        ]
    }

    private static func name(_ outcome: RepairReport.Outcome) -> String {
        switch outcome {
        case .mended: "mended"
        case .unneeded: "unneeded"
        case .lost: "lost"
        }
    }

    private static func source(_ outcome: RepairReport.Outcome) -> String? {
        if case .mended(let source) = outcome { source } else { nil }
    }

    private func text(_ report: RepairReport) -> String {
        if report.items.isEmpty { return "all is as it was written\n" }
        var table = TextTable([.left, .left], indentation: 0)
        for item in report.items {
            let what =
                switch item.outcome {
                case .mended(let source): "\(changes ? "mended" : "found") in \(FormatError.printable(source))"
                case .unneeded: "nobody needs it; the next collection removes it"
                case .lost: "not found"
                }
            table.add(item.path, what)
        }
        var text = table.text
        if !report.remakes.isEmpty {
            text += "\nnot whole\n"
            for remake in report.remakes {
                let names = ArtifactNames.shown(remake.names)
                text += TextTable.facts(
                    [
                        (remake.kind, remake.digest.short + (names.isEmpty ? "" : "  " + names.joined(separator: ", "))),
                        ("made by", "\(remake.provenance.stage), version \(remake.provenance.stageVersion)"),
                    ]
                        + (remake.missingInputs.isEmpty
                            ? [] : [("needs first", remake.missingInputs.map(\.short).joined(separator: ", "))]))
            }
        }
        if !report.forgotten.isEmpty { text += "\nthe stages that made them will be run again\n" }
        return text
    }

    private func next(_ report: RepairReport, _ session: Session) -> String {
        if report.items.isEmpty { return session.command("store", "usage") }
        if !changes, report.mendedCount > 0 {
            return session.command(words: ["store", "repair"] + (from.isEmpty ? [] : ["--from"] + from) + ["--run"])
        }
        if let first = report.remakes.first, let words = RemakeCommand.words(first) {
            // While a finished stage is remembered it would give back what is damaged.
            return changes ? session.command(words: words) : session.command("store", "repair", "--run")
        }
        return session.command("store", "verify")
    }
}

/// The command that ran a stage, with words in capitals for what the store does not know.
enum RemakeCommand {
    static func words(_ remake: RepairReport.Remake) -> [String]? {
        let provenance = remake.provenance
        let name = remake.names.first { $0.hasPrefix(remake.kind + "/") }.map { String($0.dropFirst(remake.kind.count + 1)) } ?? "NAME"
        func input(_ role: String) -> String { provenance.inputs[role]?.short ?? role.uppercased() }
        switch provenance.stage {
        case "import": return ["import", "SOURCE", "--name", name]
        case "prepare":
            let task = provenance.recipe["task"]?["name"]?.stringValue ?? "TASK"
            let length = provenance.recipe["max_length"]?.integerValue.map { ["--max-length", "\($0)"] } ?? []
            return ["prepare", "--task", task, "--data", "PATH", "--model", "MODEL", "--name", name] + length
        case "adapt":
            return ["adapt", "--model", input("model"), "--data", input("dataset"), "--name", name, "--recipe", "RECIPE"]
        case "eval":
            let split = provenance.recipe["split"]?.stringValue.map { ["--split", $0] } ?? []
            return ["eval", input("model"), "--data", input("dataset")] + split
        default: return nil
        }
    }
}
