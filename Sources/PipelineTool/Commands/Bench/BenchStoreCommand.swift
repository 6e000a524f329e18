import ArgumentParser
import Foundation
import Pipeline
import Store

struct BenchStoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Times encoding, decoding and loading of an artifact in the store.",
        discussion: """
            Each blob is encoded and decoded in memory by the codec that it has in the store, a delta with its base at hand; then all of
            them are read from the store with every check. The best round counts.

              pipeline bench store minilm --json
            """)

    @Argument(help: ArgumentHelp("A name, a digest, or at least eight digits of one.", valueName: "name"))
    var subject: String

    @Option(help: ArgumentHelp("Of several kinds that have the name, this one.", valueName: "kind"))
    var kind: String?

    @Option(help: ArgumentHelp("How hard to compress: fast, standard or strong.", valueName: "effort"))
    var effort = "standard"

    @Option(help: ArgumentHelp("Rounds to time.", valueName: "count"))
    var rounds = 5

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard Effort(rawValue: effort) != nil else {
            throw ValidationError("--effort takes fast, standard or strong, not '\(effort)'.")
        }
        guard (1...1000).contains(rounds) else { throw ValidationError("--rounds takes a number from 1 to 1000, not \(rounds).") }
    }

    func run() throws {
        let session = try Session(common, .reading, title: "bench store")
        let (_, digest, artifact) = try session.store.resolve(subject, kinds: kind.map { [$0] } ?? [])
        let rates = try session.store.measureCodecs(artifact, effort: Effort(rawValue: effort)!, rounds: rounds)
        func speed(_ bytes: Int, _ seconds: Double) -> JSONValue { .number(Double(bytes) / seconds / 1e6) }
        func duration(_ bytes: Int, _ time: CodecRates.Duration) -> JSONValue {
            [
                "seconds": .number(time.seconds), "processor_seconds": .number(time.processorSeconds),
                "MB_per_s": speed(bytes, time.seconds), "MB_per_processor_s": speed(bytes, time.processorSeconds),
            ]
        }
        let codecs = rates.codecs.map { codec -> JSONValue in
            [
                "codec": .string(codec.name), "blobs": .integer(Int64(codec.blobCount)),
                "plain_bytes": .integer(Int64(codec.plainByteCount)),
                "encoded_bytes": .integer(Int64(codec.encodedByteCount)),
                "encode": duration(codec.plainByteCount, codec.encoding),
                "decode": duration(codec.plainByteCount, codec.decoding),
            ]
        }
        let json: JSONValue = [
            "digest": .string("\(digest)"), "kind": .string(artifact.kind), "effort": .string(effort),
            "rounds": .integer(Int64(rounds)),
            "processors": .integer(Int64(ProcessInfo.processInfo.activeProcessorCount)),
            "plain_bytes": .integer(Int64(rates.plainByteCount)),
            "stored_bytes": .integer(Int64(rates.storedByteCount)),
            "codecs": .array(codecs), "load": duration(rates.plainByteCount, rates.loading),
        ]
        func text(_ bytes: Int, _ time: CodecRates.Duration) -> String {
            "\(NumberText.rate(Double(bytes) / time.seconds / 1e6)) MB/s, "
                + "\(NumberText.rate(Double(bytes) / time.processorSeconds / 1e6)) MB in a second of one processor"
        }
        var facts: [(String, String)] = []
        for codec in rates.codecs {
            facts.append(
                (codec.name, "\(codec.blobCount) blobs, \(NumberText.rate(Double(codec.encodedByteCount) / Double(max(1, codec.plainByteCount)))) of the plain bytes"))
            facts.append(("  encode", text(codec.plainByteCount, codec.encoding)))
            facts.append(("  decode", text(codec.plainByteCount, codec.decoding)))
        }
        facts.append(("load", text(rates.plainByteCount, rates.loading)))
        let title = "\(artifact.kind) \(subject), \(digest.short), effort \(effort)\n"
        try session.finish(Report(json: json, text: title + TextTable.facts(facts), next: nil))
    }
}
