import ArgumentParser
import Store

struct StoreVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Reads everything in the store again and checks every byte.",
        discussion: """
            Ends with exit code 2 when something is damaged or missing, and names the artifacts that it hits.

              pipeline store verify
              pipeline store verify --sample 0.1
              pipeline store verify --resume --portion 20G
            """)

    @Option(help: ArgumentHelp("Read only about this share of the blobs, for example 0.1.", valueName: "share"))
    var sample: Double?

    @Option(help: ArgumentHelp("Which sample; default another one each time.", valueName: "number"))
    var seed: UInt64?

    @Flag(help: "Go on where the last verification with this option ended, and keep the position.")
    var resume = false

    @Option(help: ArgumentHelp("With --resume: read about so much and stop, as 500M or 20G.", valueName: "size"))
    var portion: ByteCount?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let sample, !(sample > 0 && sample <= 1) {
            throw ValidationError("--sample takes a share above 0 and at most 1, not \(sample).")
        }
        if sample != nil, resume { throw ValidationError("--sample and --resume exclude one another.") }
        if seed != nil, sample == nil { throw ValidationError("--seed goes with --sample.") }
        if portion != nil, !resume { throw ValidationError("--portion goes with --resume.") }
    }

    private var scope: VerificationScope {
        if let sample { return .sample(share: sample, seed: seed ?? .random(in: .min ... .max)) }
        return resume ? .portion(byteCount: portion?.count ?? .max) : .everything
    }

    func run() throws {
        let session = try Session(common, .reading, title: "verify")
        if resume { Interruption.listen() }
        let report = try session.perform {
            try session.store.verify(scope) { [progress = session.progress] moment in
                progress.progress(
                    done: moment.checkedBytes, total: moment.totalBytes, unit: "", amount: NumberText.bytes)
            } isCancelled: {
                Interruption.signal != nil
            }
        }
        let json: JSONValue = [
            "clean": .bool(report.isClean), "artifacts": .integer(Int64(report.artifactCount)),
            "blobs": .integer(Int64(report.blobCount)),
            "references": .integer(Int64(report.referenceCount)), "bytes": .integer(Int64(report.byteCount)),
            "complete": .bool(report.isComplete), "checked_blobs": .integer(Int64(report.checkedBlobCount)),
            "total_bytes": .integer(Int64(report.totalByteCount)),
            "problems": .array(
                report.problems.map { problem in
                    [
                        "path": .string(problem.path), "reason": .string(problem.reason),
                        "artifacts": .array(problem.artifacts.map { .string($0.description) }),
                        "names": .array(ArtifactNames.shown(problem.references, withResumePoints: true).map { .string($0) }),
                        "dependents": .array(problem.dependents.map { .string($0.description) }),
                        "runs": .array(problem.runs.map { .string($0.description) }),
                    ]
                }),
            "notes": .array(report.notes.map { .string($0) }),
        ]
        var text =
            "\(NumberText.count(report.artifactCount)) artifacts, \(NumberText.count(report.blobCount)) blobs, "
            + "\(NumberText.count(report.referenceCount)) references, \(NumberText.bytes(report.byteCount)) read: "
            + (report.isClean
                ? "\(report.isComplete ? "all" : "what was read") is as it was written\n"
                : "\(report.problems.count) damaged or missing\n")
        if !report.isComplete {
            text += "\(NumberText.count(report.checkedBlobCount)) of \(NumberText.count(report.blobCount)) blobs were read\n"
        }
        for problem in report.problems {
            text += "\n\(problem.path)\n  \(problem.reason)\n"
            var pairs: [(String, String)] = []
            func add(_ title: String, _ values: [String]) {
                if !values.isEmpty { pairs.append((title, values.joined(separator: ", "))) }
            }
            add("hits", problem.artifacts.map(\.short))
            add("named", ArtifactNames.shown(problem.references, withResumePoints: true))
            add("made from it", problem.dependents.map(\.short))
            add("runs", problem.runs.map(\.short))
            text += TextTable.facts(pairs)
        }
        for note in report.notes { text += "note: \(note)\n" }
        try session.finish(
            Report(
                json: json, text: text,
                next: !report.isClean
                    ? session.command("store", "repair")
                    : resume && !report.isComplete ? session.command(words: resumption) : session.command("store", "usage")))
        if !report.isClean { throw DamageFound(count: report.problems.count) }
        if Interruption.signal != nil, !report.isComplete { throw VerificationInterrupted() }
    }

    private var resumption: [String] {
        ["store", "verify", "--resume"] + (portion.map { ["--portion", "\($0.count)"] } ?? [])
    }
}
