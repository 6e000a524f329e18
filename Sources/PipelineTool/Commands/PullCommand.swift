import ArgumentParser
import Foundation
import Pipeline
import Remote
import Store

struct PullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Takes an artifact and all it was made from out of another place.",
        discussion: """
            REMOTE is a folder with another store, a file that 'pipeline push' wrote, or a registry; ':NAME' behind it says \
            which artifact there. Only what is missing here travels, everything is checked on arrival, and the name is set \
            last. The same command goes on where an interrupted one stopped.

              pipeline pull /srv/group/store:mrpc-minilm
              pipeline pull mrpc-minilm.pipeline --name colleague
              pipeline pull oci://registry.example.org/team/mrpc:v1 --name mrpc-minilm
            """)

    @Argument(
        help: ArgumentHelp(
            "Where from: a folder, a file, or oci://HOST/REPOSITORY, with ':NAME' or '@DIGEST' behind it.", valueName: "remote"))
    var remote: String

    @Option(help: ArgumentHelp("The name here; default: that of there.", valueName: "name"))
    var name: String?

    @Option(help: ArgumentHelp("Of several kinds that have the name there, this one.", valueName: "kind"))
    var kind: String?

    @Flag(name: .customLong("no-lineage"), help: "Leave out what the artifact was made from.")
    var leavesOutLineage = false

    @Flag(help: "Give the name to this artifact even where it is in use; the old one stays in the name's history.")
    var replace = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let address = try RemoteAddress(remote)
        if let name { try NameInUse.checkForm(name) }
        let session = try Session(common, .writing, title: "pull")
        let context = session.transferContext()
        let place = address.open(context)
        let delivery = try session.perform {
            try place.pull(address.name, kind: kind, into: session.store, lineage: !leavesOutLineage, context)
        }
        let artifact = delivery.artifact
        guard let name = name ?? delivery.name else {
            throw PipelineError(
                .usage, "\(artifact.kind) \(delivery.digest.short) arrived and has no name there",
                advice: "Give it one here with --name NAME.")
        }
        try session.store.setReference(kind: artifact.kind, name: name, to: delivery.digest, replace: replace)
        let report = delivery.report, absent = delivery.absent.sorted(), license = artifact.provenance.license
        let json: JSONValue = [
            "artifact": .string(delivery.digest.description), "kind": .string(artifact.kind), "name": .string(name),
            "remote": .string(place.place), "artifacts": .integer(Int64(report.artifactCount)),
            "received_bytes": .integer(Int64(report.movedBytes)), "skipped_bytes": .integer(Int64(report.skippedBytes)),
            "received_blobs": .integer(Int64(report.movedBlobCount)), "skipped_blobs": .integer(Int64(report.skippedBlobCount)),
            "absent": .array(absent.map { .string($0.description) }), "license": license.map { .string($0) } ?? .null,
        ]
        let facts = TransferFacts(report, absent, verb: "received", elsewhere: "here already")
        try session.finish(
            Report(
                json: json, text: "\(artifact.kind) \(name), \(delivery.digest.short), from \(FormatError.printable(place.place))\n"
                    + TextTable.facts(facts.pairs + [("licence", license.map { FormatError.printable($0) } ?? "not stated")]),
                next: session.command("store", "show", name)))
    }
}
