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
        let done = try session.perform {
            try store.compress(artifacts, effort: .strong) { [progress = session.progress] done in
                progress.progress(done: done.doneBytes, total: done.totalBytes, unit: "", amount: NumberText.bytes)
            }
        }
        let json: JSONValue = [
            "blobs": .integer(Int64(done.blobCount)), "smaller_blobs": .integer(Int64(done.smallerCount)),
            "saved_bytes": .integer(Int64(done.savedBytes)),
        ]
        let text =
            "\(NumberText.count(done.blobCount)) blobs, \(NumberText.count(done.smallerCount)) of them smaller by "
            + "\(NumberText.bytes(done.savedBytes)) in all\n"
        try session.finish(Report(json: json, text: text, next: session.command("store", "usage")))
    }
}
