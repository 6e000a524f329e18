import Foundation
import Models
import Store

/// A task as token ids in the store: an artifact of kind `dataset`.
///
/// Each split is a few blobs, named by the split: `ids` (int32, sequences end to end), `starts` (int64, one more than sequences),
/// `types` (uint8), `lines` (int32, where each example stands in its file), and with labels `classes` (int32) or `values`
/// (float32, [sequences, outputs]); `identifiers` (a JSON array) where the file has them.
public struct PreparedDataset: Sendable {
    public static let artifactKind = "dataset"

    public let digest: Digest
    public let artifact: Artifact
    public let task: TaskDefinition
    public let maxLength: Int
    /// Of the tokenizer that made the ids.
    public let tokenizer: Digest
    public let vocabularySize: Int
    public let splits: [SplitStatistics]

    public init(digest: Digest, artifact: Artifact) throws {
        guard artifact.kind == Self.artifactKind else {
            throw PipelineError(.unfitInput, "a dataset is needed, and this is a \(artifact.kind)")
        }
        let a = artifact.attributes
        guard let task = try a["task"]?.decode(as: TaskDefinition.self), let length = a["max_length"]?.integerValue,
              let tokenizer = a["tokenizer"]?.stringValue.flatMap({ Digest($0) }),
              let vocabulary = a["vocabulary_size"]?.integerValue,
              let splits = try a["splits"]?.decode(as: [SplitStatistics].self)
        else { throw PipelineError(.unfitInput, "the stored dataset is not one that this version understands", advice: "Prepare it again.") }
        (self.digest, self.artifact, self.task, maxLength, self.tokenizer) = (digest, artifact, task, Int(length), tokenizer)
        (vocabularySize, self.splits) = (Int(vocabulary), splits)
    }

    public static func find(_ text: String, in store: Store) throws -> PreparedDataset {
        let found = try store.resolve(text, kinds: [artifactKind])
        return try PreparedDataset(digest: found.digest, artifact: found.artifact)
    }

    /// Whether the dataset was made with the model's tokenizer.
    func check(fits model: StoredModel) throws {
        guard try StoredTokenizer.digest(model.artifact, model.store) == tokenizer else {
            throw PipelineError(.unfitInput, "the dataset was prepared with another tokenizer than the model's",
                                advice: "Prepare it for this model: pipeline prepare --model …")
        }
        guard maxLength <= model.description.configuration.longestSequence else {
            throw PipelineError(
                .unfitInput, "the dataset has sequences of up to \(maxLength) tokens, the model takes "
                    + "\(model.description.configuration.longestSequence)",
                advice: "Prepare it with --max-length \(model.description.configuration.longestSequence).")
        }
    }

    /// Reads a split for a model that the dataset fits.
    ///
    /// - Throws: `PipelineError` also for ids and token types that the model's tables do not have.
    func load(split name: String, from store: Store, for model: StoredModel) throws -> TokenSplit {
        let split = try load(split: name, from: store), configuration = model.description.configuration
        if let id = split.ids.max(), Int(id) >= configuration.vocabularySize {
            throw PipelineError(.unfitInput, "split \(name) has the token id \(id), and the model knows \(configuration.vocabularySize), from 0",
                                advice: "Prepare it for this model: pipeline prepare --model …")
        }
        if let type = split.types.max(), Int(type) >= configuration.typeVocabularySize {
            throw PipelineError(.unfitInput, "split \(name) has tokens of type \(type), and the model knows \(configuration.typeVocabularySize) types, from 0",
                                advice: "Take a model that was trained on pairs, or data without a second text.")
        }
        return split
    }

    /// Reads a split into memory.
    ///
    /// - Throws: `PipelineError` with code `usage` for a split that is not there, naming those that are.
    func load(split name: String, from store: Store) throws -> TokenSplit {
        guard let statistics = splits.first(where: { $0.name == name }) else {
            throw PipelineError(.usage, "the dataset has no split '\(FormatError.printable(name))'",
                                advice: "Its splits are: \(splits.map(\.name).joined(separator: ", ")). Name one of them with --split.")
        }
        func elements<T>(_ part: String, _ type: T.Type) throws -> [T]? {
            guard let blob = artifact.blob("\(name)/\(part)") else { return nil }
            let count = blob.byteCount / MemoryLayout<T>.stride
            return try [T](unsafeUninitializedCapacity: count) { buffer, initialized in
                if count > 0 { try store.read(blob, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<blob.byteCount])) }
                initialized = count
            }
        }
        guard let ids = try elements("ids", Int32.self), let starts = try elements("starts", Int64.self),
              let types = try elements("types", UInt8.self), let lines = try elements("lines", Int32.self),
              starts.count == statistics.examples + 1, types.count == ids.count, lines.count == statistics.examples,
              starts.first == 0, starts.last == Int64(ids.count), zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 }),
              zip(starts, starts.dropFirst()).allSatisfy({ $1 - $0 <= maxLength }), ids.allSatisfy({ $0 >= 0 && $0 < vocabularySize })
        else { throw PipelineError(.unfitInput, "split \(name) of the stored dataset contradicts itself", advice: "Prepare it again.") }
        let identifiers = try artifact.blob("\(name)/identifiers").map {
            try JSONValue(parsing: store.data($0)).arrayValue?.compactMap(\.stringValue) ?? []
        }
        let split = TokenSplit(name: name, ids: ids, starts: starts.map { Int($0) }, types: types, lines: lines.map { Int($0) },
                               classes: try elements("classes", Int32.self), values: try elements("values", Float.self),
                               identifiers: identifiers)
        let labels = split.classes.map { $0.count == split.count && $0.allSatisfy { $0 >= 0 && $0 < task.outputCount } }
            ?? split.values.map { $0.count == split.count * task.outputCount } ?? true
        guard labels else {
            throw PipelineError(.unfitInput, "the labels of split \(name) contradict the task", advice: "Prepare it again.")
        }
        return split
    }
}

/// What is known about a split without reading its tokens.
public struct SplitStatistics: Hashable, Sendable, Codable {
    public var name: String
    public var examples: Int
    public var tokens: Int
    public var isLabelled: Bool
    /// Examples that lost tokens to the maximum length.
    public var truncated: Int
    public var longest: Int
    /// Examples by length in tokens: the bin of 1–16, of 17–32, and so on.
    public var lengthHistogram: [Int]
    public static let histogramBin = 16
    /// Examples by label (of a regression: none).
    public var labelCounts: [LabelCount]
    /// Examples with an empty text.
    public var emptyTexts: Int
    /// Rows left out because the published file is broken there.
    public var omitted: Int

    public struct LabelCount: Hashable, Sendable, Codable {
        public var label: String
        public var examples: Int
    }

    enum CodingKeys: String, CodingKey {
        case name, examples, tokens, truncated, longest, omitted
        case isLabelled = "labelled"
        case lengthHistogram = "length_histogram"
        case labelCounts = "label_counts"
        case emptyTexts = "empty_texts"
    }
}

/// The tokens and labels of one split, in memory.
struct TokenSplit: Sendable {
    var name: String
    var ids: [Int32]
    var starts: [Int]
    var types: [UInt8]
    var lines: [Int]
    var classes: [Int32]?
    var values: [Float]?
    var identifiers: [String]?

    var count: Int { starts.count - 1 }
    func length(_ example: Int) -> Int { starts[example + 1] - starts[example] }
    var longest: Int { (0..<count).reduce(0) { max($0, length($1)) } }
    var isLabelled: Bool { classes != nil || values != nil }

    /// Appends an example, with its labels, to a batch. `counter` is its index in the optimizer's batch.
    func append(_ example: Int, to batch: PackedBatch, counter: Int) {
        let range = starts[example]..<starts[example + 1]
        let row = ids.withUnsafeBufferPointer { ids in
            types.withUnsafeBufferPointer { types in
                batch.append(ids: UnsafeBufferPointer(rebasing: ids[range]), types: UnsafeBufferPointer(rebasing: types[range]),
                             example: counter)
            }
        }
        if let classes { batch.classes[row] = classes[example] }
        if let values {
            let K = batch.outputs
            for k in 0..<K { batch.values[row * K + k] = values[example * K + k] }
        }
    }
}
