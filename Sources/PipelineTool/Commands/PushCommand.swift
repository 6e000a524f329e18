import ArgumentParser
import Foundation
import Pipeline
import Remote
import Store

struct PushCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "Sends an artifact and all it was made from to another place.",
        discussion: """
            REMOTE is a folder with another store, which is made if it is not there; a file that ends in .pipeline; or a \
            registry. Only what the other side lacks travels, and the name there is set last. The same command goes on \
            where an interrupted one stopped.

              pipeline push mrpc-minilm /srv/group/store
              pipeline push mrpc-minilm mrpc-minilm.pipeline --no-lineage
              pipeline push mrpc-minilm oci://registry.example.org/team/mrpc:v1

            A registry's password is taken from PIPELINE_REGISTRY_USER and PIPELINE_REGISTRY_PASSWORD, or from Docker's \
            config.json.
            """)

    @Argument(help: ArgumentHelp("What to send: a name, a digest, or at least eight digits of one.", valueName: "name"))
    var subject: String

    @Argument(
        help: ArgumentHelp(
            "Where to: a folder, a file that ends in .pipeline, or oci://HOST/REPOSITORY. ':NAME' behind it names the artifact there.",
            valueName: "remote"))
    var remote: String

    @Option(help: ArgumentHelp("Of several kinds that have the name, this one.", valueName: "kind"))
    var kind: String?

    @Flag(name: .customLong("no-lineage"), help: "Leave out what the artifact was made from.")
    var leavesOutLineage = false

    @Flag(help: "Give the name there to this artifact even where it is in use.")
    var replace = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let address = try RemoteAddress(remote)
        let session = try Session(common, .reading, title: "push")
        let (ownName, digest, artifact) = try session.store.resolve(subject, kinds: kind.map { [$0] } ?? [])
        guard let name = address.name ?? ownName else {
            throw PipelineError(
                .usage, "the artifact has no name here to be called by there", advice: "Give one behind a colon: \(remote):NAME.")
        }
        let context = session.transferContext()
        let place = address.open(tool: Tool.name, context)
        let shipment = try Shipment(digest, of: session.store, lineage: !leavesOutLineage, name: name)
        let report = try session.perform { try place.push(shipment, replace: replace, context) }
        let absent = shipment.closure.absent.sorted()
        let json: JSONValue = [
            "artifact": .string(digest.description), "kind": .string(artifact.kind), "name": .string(name),
            "remote": .string(place.place), "artifacts": .integer(Int64(report.artifactCount)),
            "sent_bytes": .integer(Int64(report.movedBytes)), "skipped_bytes": .integer(Int64(report.skippedBytes)),
            "sent_blobs": .integer(Int64(report.movedBlobCount)), "skipped_blobs": .integer(Int64(report.skippedBlobCount)),
            "absent": .array(absent.map { .string($0.description) }),
        ]
        let facts = TransferFacts(report, absent, verb: "sent", elsewhere: "there already")
        try session.finish(
            Report(
                json: json, text: "\(artifact.kind) \(name), \(digest.short), to \(FormatError.printable(place.place))\n"
                    + TextTable.facts(facts.pairs),
                next: ShellText.command(["pull", address.name == nil ? "\(remote):\(name)" : remote])))
    }
}

/// What a transfer moved, for people.
struct TransferFacts {
    let pairs: [(String, String)]

    init(_ report: TransferReport, _ absent: [Digest], verb: String, elsewhere: String) {
        var pairs = [
            ("artifacts", NumberText.count(report.artifactCount)),
            (verb, Self.amount(report.movedBytes, report.movedBlobCount)),
            (elsewhere, Self.amount(report.skippedBytes, report.skippedBlobCount)),
        ]
        if !absent.isEmpty {
            pairs.append(("lineage", "ends before \(absent.map(\.short).joined(separator: ", ")), not to be had"))
        }
        self.pairs = pairs
    }

    private static func amount(_ bytes: Int, _ blobs: Int) -> String {
        "\(NumberText.bytes(bytes)) (\(NumberText.count(bytes)) bytes, \(NumberText.count(blobs)) \(blobs == 1 ? "blob" : "blobs"))"
    }
}
