import ArgumentParser
import Pipeline
import Store

struct StoreRetentionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retention", abstract: "Shows or sets what 'store gc' keeps besides what is named.",
        discussion: """
            Resume points of unfinished runs always stay. Checkpoints hold a run's weights and moments; a finished run has its \
            adapted model without them.

              pipeline store retention
              pipeline store retention --keep-history 1 --keep-best --keep-bytes 20G
            """)

    @Option(help: ArgumentHelp("Earlier entries of each name whose artifacts stay.", valueName: "count"))
    var keepHistory: Int?

    @Option(help: ArgumentHelp("Newest checkpoints of each kept run that stay.", valueName: "count"))
    var keepLast: Int?

    @Flag(inversion: .prefixedNo, help: "Whether the checkpoint with the best metric of each kept run stays.")
    var keepBest: Bool?

    @Flag(inversion: .prefixedNo, help: "Whether everything that a kept artifact was made from stays.")
    var keepLineage: Bool?

    @Option(help: ArgumentHelp("Of the rest the newest stay, up to so many stored bytes, as 500M or 20G.", valueName: "size"))
    var keepBytes: ByteCount?

    @Flag(help: "Begin with the defaults.")
    var reset = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        for (option, value) in [("--keep-history", keepHistory), ("--keep-last", keepLast)] {
            if let value, value < 0 { throw ValidationError("\(option) takes a number from 0 on, not \(value).") }
        }
    }

    func run() throws {
        let session = try Session(common, .reading, title: "retention")
        let store = session.store
        let old = reset ? try? store.retention() : try store.retention()
        var retention = reset ? Retention() : old ?? Retention()
        if let keepHistory { retention.history = keepHistory }
        if let keepLast { retention.lastCheckpoints = keepLast }
        if let keepBest { retention.keepsBest = keepBest }
        if let keepLineage { retention.keepsLineage = keepLineage }
        if let keepBytes { retention.spareBytes = keepBytes.count }
        let isChanged = retention != old
        if isChanged { try store.setRetention(retention) }
        let plan = try store.collectionPlan(releasesBases: false)
        let json: JSONValue = [
            "changed": .bool(isChanged), "history": .integer(Int64(retention.history)), "lineage": .bool(retention.keepsLineage),
            "last": .integer(Int64(retention.lastCheckpoints)), "best": .bool(retention.keepsBest),
            "bytes": .integer(Int64(retention.spareBytes)), "freed_bytes": .integer(Int64(plan.byteCount)),
        ]
        let text =
            "kept besides names and resume points\n"
            + TextTable.facts([
                ("history", "\(NumberText.count(retention.history)) earlier entries of each name"),
                ("lineage", retention.keepsLineage ? "all that kept artifacts were made from" : "not kept"),
                ("checkpoints", "the \(NumberText.count(retention.lastCheckpoints)) newest of each kept run"),
                ("best checkpoint", retention.keepsBest ? "kept" : "not kept"),
                ("the rest", retention.spareBytes == 0 ? "goes" : "the newest up to \(NumberText.bytes(retention.spareBytes))"),
            ]) + "a collection would free \(NumberText.bytes(plan.byteCount))\n"
        try session.finish(Report(json: json, text: text, next: session.command("store", "gc")))
    }
}
