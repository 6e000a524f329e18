import ArgumentParser
import Store

struct StoreRebuildIndexCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild-index", abstract: "Makes the index again from manifests and names.",
        discussion: """
            The index is brought up to date by itself; this is for file systems that do not tell when a folder changed.

              pipeline store rebuild-index
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try Session(common, .reading, title: "rebuild-index")
        try session.store.rebuildIndex()
        let usage = try session.store.usage()
        let references = try session.store.referenceKinds().reduce(0) { try $0 + session.store.references(kind: $1).count }
        let json: JSONValue = [
            "artifacts": .integer(Int64(usage.artifactCount)), "blobs": .integer(Int64(usage.blobCount)),
            "references": .integer(Int64(references)),
        ]
        let text =
            "the index has \(NumberText.count(usage.artifactCount)) artifacts, \(NumberText.count(usage.blobCount)) blobs, "
            + "\(NumberText.count(references)) references\n"
        try session.finish(Report(json: json, text: text, next: session.command("store", "list")))
    }
}
