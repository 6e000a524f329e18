import ArgumentParser
import Store

struct StoreUsageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage", abstract: "Shows what takes how much space.",
        discussion: """
            Logical bytes are those of every artifact kept whole by itself; stored bytes are the files, \
            shared and compressed. The removal of a name frees what nothing else needs, once it is collected.

              pipeline store usage
            """)

    @OptionGroup var common: CommonOptions

    /// How many artifacts are shown to people.
    private static let shown = 15

    func run() throws {
        let session = try Session(common, .reading, title: "usage")
        let usage = try session.store.usage()
        let trash = try session.store.collectionTrash()
        var names: [(name: String, freedBytes: Int)] = []
        do {
            names = try session.store.removalEstimates().map { ("\($0.kind)/\($0.name)", $0.estimate.byteCount) }
        } catch let error as StoreError where error.isDamage {
            session.progress.note("what removals would free cannot be told: \(error)")
        }
        let json: JSONValue = [
            "logical_bytes": .integer(Int64(usage.logicalBytes)), "stored_bytes": .integer(Int64(usage.storedBytes)),
            "artifacts": .integer(Int64(usage.artifactCount)), "blobs": .integer(Int64(usage.blobCount)),
            "unreferenced_blobs": .integer(Int64(usage.unreferencedCount)),
            "unreferenced_bytes": .integer(Int64(usage.unreferencedBytes)),
            "trash_files": .integer(Int64(trash.count)), "trash_bytes": .integer(Int64(trash.byteCount)),
            "names": .array(names.map { ["name": .string($0.name), "freed_bytes": .integer(Int64($0.freedBytes))] }),
            "entries": .array(
                usage.artifacts.map { entry in
                    [
                        "digest": .string(entry.digest.description), "kind": .string(entry.kind),
                        "names": .array(ArtifactNames.shown(entry.references).map { .string($0) }),
                        "logical_bytes": .integer(Int64(entry.logicalBytes)),
                        "stored_bytes": .integer(Int64(entry.storedBytes)),
                        "exclusive_bytes": .integer(Int64(entry.exclusiveBytes)),
                    ]
                }),
        ]
        var text = "\(session.store.location.path)\n"
        var pairs = [
            (
                "logical",
                NumberText.bytes(usage.logicalBytes) + " in \(NumberText.count(usage.artifactCount)) artifacts"
            ),
            ("stored", NumberText.bytes(usage.storedBytes) + " in \(NumberText.count(usage.blobCount)) blobs"),
        ]
        if usage.storedBytes > 0 {
            pairs.append(
                (
                    "saved",
                    NumberText.percent(max(0, usage.logicalBytes - usage.storedBytes), of: max(1, usage.logicalBytes))
                ))
        }
        if usage.unreferencedCount > 0 {
            pairs.append(
                (
                    "left over",
                    NumberText.bytes(usage.unreferencedBytes)
                        + " in \(usage.unreferencedCount) blobs of interrupted work"
                ))
        }
        if trash.count > 0 { pairs.append(("trash", NumberText.bytes(trash.byteCount) + ", which the next collection removes")) }
        text += TextTable.facts(pairs)
        if !usage.artifacts.isEmpty {
            var table = TextTable([.left, .left, .left, .right, .right, .right])
            table.add("kind", "name", "digest", "logical", "stored", "its own")
            for entry in usage.artifacts.prefix(Self.shown) {
                table.add(
                    entry.kind, ArtifactNames.bare(entry.references, kind: entry.kind), entry.digest.short,
                    NumberText.bytes(entry.logicalBytes),
                    NumberText.bytes(entry.storedBytes), NumberText.bytes(entry.exclusiveBytes))
            }
            text += "\n" + table.text
            let rest = usage.artifacts.count - Self.shown
            if rest > 0 { text += "  and \(rest) smaller ones\n" }
        }
        let freeing = names.filter { $0.freedBytes > 0 }
        if !freeing.isEmpty {
            var table = TextTable([.left, .right])
            table.add("name", "its removal frees")
            for name in freeing.prefix(Self.shown) { table.add(name.name, NumberText.bytes(name.freedBytes)) }
            text += "\n" + table.text
        }
        try session.finish(Report(json: json, text: text, next: session.command("store", "gc")))
    }
}
