import ArgumentParser
import Foundation
import Pipeline
import Store

struct StoreGCCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Removes what nobody needs.",
        discussion: """
            Kept are names with their newest history, all that they were made from, resume points of unfinished runs, \
            results of what is kept, and what 'store retention' says. What is kept as a difference from something that nothing else \
            needs is encoded in full where that takes less. Without --run it only tells what would go.

              pipeline store gc
              pipeline store gc --run
            """)

    @Flag(name: .customLong("run"), help: "Remove it.")
    var removes = false

    @Option(help: ArgumentHelp("How long to wait for commands that write.", valueName: "seconds"))
    var wait = 10.0

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if !(0...86_400).contains(wait) { throw ValidationError("--wait takes seconds from 0 to 86400, not \(wait).") }
    }

    func run() throws {
        let session = try Session(common, .reading, title: "gc")
        var freed: (count: Int, bytes: Int)?
        let plan: CollectionPlan
        let show = { [progress = session.progress] (step: CollectionProgress) in
            switch step {
            case .encoded(let done, let total): progress.progress(done: done, total: total, unit: "encoded", amount: NumberText.bytes)
            case .removed(let done, let total): progress.progress(done: done, total: total, unit: "removed", amount: NumberText.bytes)
            }
        }
        if removes {
            let report = try session.perform { try session.store.collect(patience: wait, progress: show) }
            plan = report.plan
            freed = (report.removedCount, report.removedBytes)
        } else {
            plan = try session.perform { try session.store.collectionPlan(progress: show) }
        }
        try session.finish(
            Report(
                json: Self.json(plan, freed), text: Self.text(plan, freed),
                next: !removes && (plan.byteCount > 0 || plan.trashCount > 0)
                    ? session.command("store", "gc", "--run") : session.command("store", "usage")))
    }

    private static func json(_ plan: CollectionPlan, _ freed: (count: Int, bytes: Int)?) -> JSONValue {
        [
            "run": .bool(freed != nil), "bytes": .integer(Int64(plan.byteCount)), "freed_bytes": .integer(Int64(freed?.bytes ?? 0)),
            "kinds": .array(
                plan.shares.map { share in
                    [
                        "kind": share.kind.map { .string($0) } ?? .null, "artifacts": .integer(Int64(share.artifactCount)),
                        "blobs": .integer(Int64(share.blobCount)), "bytes": .integer(Int64(share.byteCount)),
                    ]
                }),
            "artifacts": .array(
                plan.artifacts.map { entry in
                    [
                        "digest": .string(entry.digest.description), "kind": entry.kind.map { .string($0) } ?? .null,
                        "created": .number(entry.created.timeIntervalSince1970),
                    ]
                }),
            "forgotten": .array(plan.forgotten.map { .string($0) }),
            "kept_artifacts": .integer(Int64(plan.keptArtifactCount)), "kept_bytes": .integer(Int64(plan.keptBytes)),
            "base_blobs": .integer(Int64(plan.baseCount)), "base_bytes": .integer(Int64(plan.baseBytes)),
            "released_blobs": .integer(Int64(plan.releasedCount)), "released_bytes": .integer(Int64(plan.releasedBytes)),
            "reencoded_blobs": .integer(Int64(plan.reencodedCount)), "reencoded_bytes": .integer(Int64(plan.reencodedBytes)),
            "trash_files": .integer(Int64(plan.trashCount)), "trash_bytes": .integer(Int64(plan.trashBytes)),
        ]
    }

    private static func text(_ plan: CollectionPlan, _ freed: (count: Int, bytes: Int)?) -> String {
        var text = ""
        if !plan.shares.isEmpty {
            var table = TextTable([.left, .right, .right, .right], indentation: 0)
            table.add("kind", "artifacts", "blobs", "bytes")
            for share in plan.shares {
                table.add(
                    share.kind ?? "left over", NumberText.count(share.artifactCount), NumberText.count(share.blobCount),
                    NumberText.bytes(share.byteCount))
            }
            text += table.text + "\n"
        }
        if plan.trashCount > 0 {
            text += "\(NumberText.bytes(plan.trashBytes)) in the trash, of a collection that was cut short\n"
        }
        if plan.releasedCount > 0 {
            text +=
                "\(NumberText.bytes(plan.releasedBytes)) of it only served differences: \(NumberText.count(plan.reencodedCount)) blobs "
                + (freed == nil ? "would be " : "") + "encoded in full and larger by \(NumberText.bytes(plan.reencodedBytes))\n"
        }
        if plan.baseCount > 0 {
            text += "\(NumberText.bytes(plan.baseBytes)) stay only because others are kept as differences from them\n"
        }
        let kept = "\(NumberText.bytes(plan.keptBytes)) in \(NumberText.count(plan.keptArtifactCount)) artifacts stay"
        if let freed { return text + "\(NumberText.bytes(freed.bytes)) removed; \(kept)\n" }
        let all = plan.byteCount + plan.trashBytes
        return text + (all == 0 ? "nothing to remove; \(kept)\n" : "would remove \(NumberText.bytes(all)); \(kept)\n")
    }
}
