import ArgumentParser
import Foundation
import Pipeline
import Store
import Tokenizers

struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize", abstract: "Cuts text into a model's token ids.",
        discussion: """
            One line of text in, one JSON array of ids out, special tokens included. \
            A tab separates the two texts of a pair. Lines end at line feeds alone: \
            a carriage return, a byte-order mark and a NUL are text.

              echo "A warm and funny film." | pipeline tokenize minilm
              pipeline tokenize minilm --input sentences.txt > ids.jsonl
            """)

    @Argument(help: ArgumentHelp("A model or a run.", valueName: "model"))
    var model: String

    @Option(help: ArgumentHelp("A file of texts, one a line. Default: standard input.", valueName: "file"))
    var input: String?

    @Option(help: ArgumentHelp("Longest sequence in tokens. Default: nothing is truncated.", valueName: "tokens"))
    var maxLength: Int?

    @OptionGroup var common: CommonOptions

    /// Output is written in portions of about this many bytes.
    private static let portion = 1 << 16

    func run() throws {
        let session = try Session(common, .reading, title: "tokenize")
        let stored = try StoredModel.find(model, in: session.store, preferring: .model)
        let tokenizer = try stored.tokenizer()
        let shortest = tokenizer.templateLength(isPair: true)
        if let maxLength, maxLength < shortest {
            throw PipelineError(
                .usage, "--max-length \(maxLength) has no room for the special tokens",
                advice: "Give at least \(shortest).")
        }
        let source = try InputPairs(input, .exact)
        // Somebody who types waits for the answer to each line.
        let isTyped = (input == nil || input == "-") && isatty(STDIN_FILENO) == 1
        var output = IdentifierText()
        var encoding = Encoding()
        var count = 0
        if common.json { output.append("{\"ids\":[") }
        while let (text, pair) = try source.next() {
            try tokenizer.encode(utf8: text, pair: pair, maxLength: maxLength, into: &encoding)
            if common.json, count > 0 { output.append(",") }
            count += 1
            output.append(encoding.ids)
            if common.json { continue }
            output.append("\n")
            if isTyped || output.count >= Self.portion { try output.flush() }
        }
        if common.json { output.append("],\"lines\":\(count),\"model\":\"\(stored.digest)\"}\n") }
        try output.flush()
    }
}

/// Numbers as JSON text in a buffer of bytes; no text values are made on the way.
struct IdentifierText {
    private var bytes: [UInt8] = []

    var count: Int { bytes.count }

    mutating func append(_ text: String) { bytes += text.utf8 }

    /// A JSON array.
    mutating func append(_ ids: [Int32]) {
        bytes.append(UInt8(ascii: "["))
        for (place, id) in ids.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            append(UInt32(id))
        }
        bytes.append(UInt8(ascii: "]"))
    }

    private mutating func append(_ number: UInt32) {
        var divisor: UInt32 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }

    /// Writes everything to standard output and forgets it.
    mutating func flush() throws {
        try bytes.withUnsafeBytes { try StandardOutput.write($0) }
        bytes.removeAll(keepingCapacity: true)
    }
}
