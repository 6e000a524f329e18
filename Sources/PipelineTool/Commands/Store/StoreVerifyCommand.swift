import ArgumentParser
import Store

struct StoreVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Reads everything in the store again and checks every byte.",
        discussion: """
            Ends with exit code 2 when something is damaged or missing, and names the artifacts that it hits.

              pipeline store verify
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try Session(common, .reading, title: "verify")
        let report = try session.perform {
            try session.store.verify { [progress = session.progress] moment in
                progress.progress(
                    done: moment.checkedBytes, total: moment.totalBytes, unit: "", amount: NumberText.bytes)
            }
        }
        let json: JSONValue = [
            "clean": .bool(report.isClean), "artifacts": .integer(Int64(report.artifactCount)),
            "blobs": .integer(Int64(report.blobCount)),
            "references": .integer(Int64(report.referenceCount)), "bytes": .integer(Int64(report.byteCount)),
            "problems": .array(
                report.problems.map { problem in
                    [
                        "path": .string(problem.path), "reason": .string(problem.reason),
                        "artifacts": .array(problem.artifacts.map { .string($0.description) }),
                        "names": .array(ArtifactNames.shown(problem.references).map { .string($0) }),
                        "dependents": .array(problem.dependents.map { .string($0.description) }),
                    ]
                }),
            "notes": .array(report.notes.map { .string($0) }),
        ]
        var text =
            "\(NumberText.count(report.artifactCount)) artifacts, \(NumberText.count(report.blobCount)) blobs, "
            + "\(NumberText.count(report.referenceCount)) references, \(NumberText.bytes(report.byteCount)) read: "
            + (report.isClean ? "all is as it was written\n" : "\(report.problems.count) damaged or missing\n")
        for problem in report.problems {
            text += "\n\(problem.path)\n  \(problem.reason)\n"
            let names = ArtifactNames.shown(problem.references)
            text += TextTable.facts(
                (problem.artifacts.isEmpty ? [] : [("hits", problem.artifacts.map(\.short).joined(separator: ", "))])
                    + (names.isEmpty ? [] : [("named", names.joined(separator: ", "))])
                    + (problem.dependents.isEmpty
                        ? [] : [("made from it", problem.dependents.map(\.short).joined(separator: ", "))]))
        }
        for note in report.notes { text += "note: \(note)\n" }
        try session.finish(
            Report(json: json, text: text, next: report.isClean ? session.command("store", "usage") : nil))
        if !report.isClean { throw DamageFound(count: report.problems.count) }
    }
}
