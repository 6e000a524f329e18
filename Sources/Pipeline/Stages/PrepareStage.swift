import Foundation
import Store
import Synchronization
import Tokenizers

/// A labelled task and a model's tokenizer → a dataset of token ids in the store.
///
/// The result depends on the files' bytes, the task's options, the tokenizer and the maximum length alone; the same again is
/// found in the store.
public struct PrepareStage {
    public static let version = 1

    /// Where the examples are and how to read them.
    public enum Source: Sendable {
        case glue(GLUETask, folder: URL)
        case own(OwnDataOptions, at: URL)
    }

    public var source: Source
    public var model: String
    public var name: String
    /// In tokens, special tokens included.
    public var maxLength: Int
    public var replaces: Bool

    public init(source: Source, model: String, name: String, maxLength: Int = 128, replaces: Bool = false) {
        (self.source, self.model, self.name, self.maxLength, self.replaces) = (source, model, name, maxLength, replaces)
    }

    public struct Result: Sendable {
        public let dataset: PreparedDataset
        /// Found in the store, nothing was computed.
        public let wasCached: Bool
    }

    public func run(_ context: StageContext) throws -> Result {
        try NameInUse.checkForm(name)
        let model = try StoredModel.find(self.model, in: context.store, preferring: .model)
        let longest = model.description.configuration.longestSequence
        guard maxLength >= 4, maxLength <= longest else {
            throw PipelineError(.usage, "a maximum length of \(maxLength) tokens does not fit the model",
                                advice: "Give --max-length between 4 and \(longest).")
        }
        let loaded: LoadedTask = switch source {
        case .glue(let task, let folder): try GLUELoader(task).load(folder)
        case .own(let options, let url): try OwnDataLoader(options).load(url)
        }
        let tokenizerDigest = try StoredTokenizer.digest(model.artifact, context.store)
        var files: [String: JSONValue] = [:]
        for split in loaded.splits {
            files[split.name] = .string(try Self.digest(ofFile: split.file).description)
        }
        let provenance = Provenance(
            stage: "prepare", stageVersion: Self.version,
            recipe: ["task": try JSONValue(encoding: loaded.definition), "files": .object(files),
                     "options": .string(optionsText), "max_length": .integer(Int64(maxLength)),
                     "tokenizer": .string(tokenizerDigest.description)])
        let key = try provenance.stageKey()
        if let digest = try context.store.memoized(key) {
            let dataset = try PreparedDataset(digest: digest, artifact: context.store.artifact(digest))
            try setName(dataset.digest, context.store)
            return Result(dataset: dataset, wasCached: true)
        }
        try NameInUse.check(context.store, kind: PreparedDataset.artifactKind, name: name, replaces: replaces, making: key)

        let tokenizer = try model.tokenizer()
        if loaded.definition.isPair { try model.description.configuration.check(takes: tokenizer, pairs: true) }
        let writer = try context.store.writer()
        var statistics: [SplitStatistics] = []
        let total = loaded.splits.reduce(0) { $0 + $1.examples.count }
        var done = 0
        for split in loaded.splits {
            let tokens = try encode(split, loaded.definition, tokenizer, context, done: done, total: total)
            done += split.examples.count
            try write(tokens.split, to: writer)
            statistics.append(tokens.statistics)
        }
        let digest = try writer.commit(
            kind: PreparedDataset.artifactKind,
            attributes: [
                "task": try JSONValue(encoding: loaded.definition), "max_length": .integer(Int64(maxLength)),
                "tokenizer": .string(tokenizerDigest.description),
                "vocabulary_size": .integer(Int64(model.description.configuration.vocabularySize)),
                "splits": try JSONValue(encoding: statistics),
            ], provenance: provenance)
        try context.store.memoize(key, digest)
        try setName(digest, context.store)
        return Result(dataset: try PreparedDataset(digest: digest, artifact: context.store.artifact(digest)), wasCached: false)
    }

    /// A name that already stands for this very dataset is not in the way.
    private func setName(_ digest: Digest, _ store: Store) throws {
        try NameInUse.give(store, kind: PreparedDataset.artifactKind, name: name, to: digest, replaces: replaces)
    }

    /// What, beside the task's definition, decides how files are read.
    private var optionsText: String {
        switch source {
        case .glue(let task, _): "glue:\(task.name)"
        case .own(let o, _):
            "own:" + [o.kind.rawValue, o.isPair.map { "\($0)" }, o.textColumn, o.pairColumn, o.labelColumn, o.labelSeparator,
                      "\(o.allowsEmptyText)", o.fileKind?.rawValue].map { $0 ?? "-" }.joined(separator: "\u{1f}")
        }
    }

    private static func digest(ofFile path: String) throws -> Digest {
        do { return try Digest(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw FormatError(.fileUnreadable, file: path, "the file cannot be read", found: "\(error)")
        }
    }

    private func encode(_ split: LoadedSplit, _ task: TaskDefinition, _ tokenizer: any Tokenizer, _ context: StageContext,
                        done: Int, total: Int) throws -> (split: TokenSplit, statistics: SplitStatistics) {
        let examples = split.examples, chunk = 2048
        let chunks = (examples.count + chunk - 1) / chunk
        struct Piece: Sendable { var ids: [Int32] = [], types: [UInt8] = [], lengths: [Int] = [], truncated = 0 }
        let pieces = Mutex<[Piece?]>(Array(repeating: nil, count: chunks))
        let failure = Mutex<(any Error)?>(nil)
        let finished = Mutex(0), next = Mutex(0)
        let maxLength = maxLength
        // Chunks are independent and land at their place: the order of threads does not show.
        @Sendable func encodeChunk(_ index: Int) {
            var piece = Piece(), encoding = Encoding()
            do {
                for example in examples[index * chunk..<min(examples.count, (index + 1) * chunk)] {
                    var text = example.text
                    try text.withUTF8 { text in
                        if var pair = example.pair {
                            try pair.withUTF8 { try tokenizer.encode(utf8: text, pair: $0, maxLength: maxLength, into: &encoding) }
                        } else {
                            try tokenizer.encode(utf8: text, pair: nil, maxLength: maxLength, into: &encoding)
                        }
                    }
                    piece.ids += encoding.ids
                    piece.types += encoding.typeIDs
                    piece.lengths.append(encoding.ids.count)
                    if encoding.wasTruncated { piece.truncated += 1 }
                }
            } catch { return failure.withLock { $0 = error } }
            let count = finished.withLock { $0 += piece.lengths.count; return $0 }
            context.observe(.progress(done: done + count, total: total, unit: "examples"))
            pieces.withLock { $0[index] = piece }
        }
        DispatchQueue.concurrentPerform(iterations: min(context.threads, chunks)) { _ in
            while !context.isCancelled(), failure.withLock({ $0 == nil }) {
                let index = next.withLock { next in defer { next += 1 }; return next }
                guard index < chunks else { return }
                encodeChunk(index)
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
        let whole = pieces.withLock { $0 }.compactMap { $0 }
        // A chunk that saw the cancellation is missing, whatever is answered now.
        if whole.count < chunks || context.isCancelled() { throw Interrupted(step: nil) }

        var tokens = TokenSplit(name: split.name, ids: [], starts: [0], types: [], lines: examples.map(\.line))
        var histogram: [Int] = [], truncated = 0, longest = 0
        for piece in whole {
            tokens.ids += piece.ids
            tokens.types += piece.types
            truncated += piece.truncated
            for length in piece.lengths {
                tokens.starts.append(tokens.starts[tokens.starts.count - 1] + length)
                longest = max(longest, length)
                let bin = (length - 1) / SplitStatistics.histogramBin
                while histogram.count <= bin { histogram.append(0) }
                histogram[bin] += 1
            }
        }
        var counts: [SplitStatistics.LabelCount] = []
        if split.isLabelled {
            (tokens.classes, tokens.values, counts) = Self.labels(examples, task)
        }
        if examples.contains(where: { $0.identifier != nil }) { tokens.identifiers = examples.map { $0.identifier ?? "" } }
        let statistics = SplitStatistics(
            name: split.name, examples: examples.count, tokens: tokens.ids.count, isLabelled: split.isLabelled,
            truncated: truncated, longest: longest, lengthHistogram: histogram, labelCounts: counts,
            emptyTexts: split.emptyTextCount, omitted: split.omissions.count)
        return (tokens, statistics)
    }

    private static func labels(_ examples: [Example], _ task: TaskDefinition)
        -> (classes: [Int32]?, values: [Float]?, counts: [SplitStatistics.LabelCount]) {
        let K = task.outputCount
        var counts = [Int](repeating: 0, count: task.labels.count)
        var classes: [Int32] = [], values: [Float] = []
        for example in examples {
            switch example.label {
            case .classIndex(let index)?:
                classes.append(Int32(index))
                counts[index] += 1
            case .labelSet(let set)?:
                var row = [Float](repeating: 0, count: K)
                for label in set {
                    row[label] = 1
                    counts[label] += 1
                }
                values += row
            case .value(let value)?: values.append(Float(value))
            case nil: preconditionFailure("a labelled split has a label everywhere")
            }
        }
        let named = zip(task.labels, counts).map { SplitStatistics.LabelCount(label: $0, examples: $1) }
        return (classes.isEmpty ? nil : classes, values.isEmpty ? nil : values, named)
    }

    private func write(_ split: TokenSplit, to writer: ArtifactWriter) throws {
        func add<T>(_ part: String, _ values: [T], _ type: ElementType, shape: [Int]? = nil) throws {
            try values.withUnsafeBytes {
                try writer.add(name: "\(split.name)/\(part)", bytes: $0, elementType: type.rawValue, shape: shape ?? [values.count])
            }
        }
        try add("ids", split.ids, .int32)
        try add("starts", split.starts.map { Int64($0) }, .int64)
        try add("types", split.types, .uint8)
        try add("lines", split.lines.map { Int32(clamping: $0) }, .int32)
        if let classes = split.classes { try add("classes", classes, .int32) }
        if let values = split.values { try add("values", values, .float32, shape: [split.count, values.count / max(1, split.count)]) }
        if let identifiers = split.identifiers {
            try writer.add(name: "\(split.name)/identifiers", data: try JSONValue.array(identifiers.map { .string($0) }).canonicalBytes())
        }
    }
}
