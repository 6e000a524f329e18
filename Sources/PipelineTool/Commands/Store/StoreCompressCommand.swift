import ArgumentParser
import Pipeline
import Store

struct StoreCompressCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compress", abstract: "Encodes blobs anew with more effort, and keeps what becomes smaller.",
        discussion: """
            Checkpoints are written fast, so that training need not wait. What is kept can be made smaller when the machine has nothing \
            better to do. Digests do not change, and other commands may use the store meanwhile. It may be interrupted at any time.

              pipeline store compress
              pipeline store compress reviews-minilm
            """)

    @Argument(help: ArgumentHelp("Names or digests; default: everything in the store.", valueName: "name"))
    var subjects: [String] = []

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try Session(common, .reading, title: "compress")
        let store = session.store
        let artifacts =
            try subjects.isEmpty
            ? store.list().map { try store.artifact($0.digest) } : subjects.map { try store.resolve($0).artifact }
        var seen: Set<Digest> = []
        var (count, smaller, saved) = (0, 0, 0)
        for artifact in artifacts {
            for blob in artifact.blobs where seen.insert(blob.digest).inserted {
                let bytes = try store.recompress(blob, effort: .strong)
                count += 1
                smaller += bytes > 0 ? 1 : 0
                saved += bytes
            }
        }
        let json: JSONValue = [
            "blobs": .integer(Int64(count)), "smaller_blobs": .integer(Int64(smaller)), "saved_bytes": .integer(Int64(saved)),
        ]
        let text = "\(NumberText.count(count)) blobs, \(NumberText.count(smaller)) of them smaller by \(NumberText.bytes(saved)) in all\n"
        try session.finish(Report(json: json, text: text, next: session.command("store", "usage")))
    }
}
