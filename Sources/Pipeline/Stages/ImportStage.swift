import Foundation
import Models
import Store
import Tensors
import Tokenizers

/// A Hugging Face model folder, or one safetensors file with its configuration and vocabulary → a model in the store.
///
/// Reads one tensor at a time. Tensors take the names that `transformers` gives them, so that equal models from differently
/// named files are equal here. Nothing is visible in the store unless everything was read and found good.
public struct ImportStage {
    public static let version = 1

    /// A folder, or a `.safetensors` file.
    public var source: URL
    /// `config.json` of a lone file.
    public var configuration: URL?
    /// `vocab.txt`, `tokenizer.json`, or `vocab.json` and `merges.txt` of a lone file.
    public var vocabulary: [URL]
    /// Whether a tokenizer that does not say so keeps case.
    public var cased: Bool?
    public var name: String
    public var replaces: Bool
    public var allowsNonFinite: Bool
    /// Where the files were fetched from, for the provenance; nil for files of this machine.
    public var origin: JSONValue?

    public init(source: URL, configuration: URL? = nil, vocabulary: [URL] = [], cased: Bool? = nil, name: String,
                replaces: Bool = false, allowsNonFinite: Bool = false) {
        (self.source, self.configuration, self.vocabulary, self.cased) = (source, configuration, vocabulary, cased)
        (self.name, self.replaces, self.allowsNonFinite) = (name, replaces, allowsNonFinite)
    }

    public struct Result: Sendable {
        public let model: Digest
        public let description: ModelDescription
        public let parameterCount: Int
        /// Tensors of the file that the architecture does not have.
        public let ignored: [String]
        /// Configuration keys that were missing and took the documented default.
        public let defaulted: [String]
        /// The same files were imported before.
        public let wasCached: Bool
    }

    public func run(_ context: StageContext) throws -> Result {
        try NameInUse.checkForm(name)
        let files = try SourceFiles(self)
        let config = try HuggingFaceConfig(contentsOf: files.configuration)
        let key = try key(files)
        let model = try SourceModel(config, weights: files.weights)
        let (description, plan, checkpoint) = (model.description, model.plan, model.checkpoint)
        let configuration = description.configuration
        func result(_ digest: Digest, wasCached: Bool) -> Result {
            let used = Set(plan.map(\.source))
            return Result(
                model: digest, description: description, parameterCount: plan.reduce(0) { $0 + $1.entry.count },
                ignored: checkpoint.order.filter { !used.contains($0) }, defaulted: config.defaulted, wasCached: wasCached)
        }
        if let digest = try context.store.memoized(key) {
            try setName(digest, context.store)
            return result(digest, wasCached: true)
        }
        try NameInUse.check(context.store, kind: ModelDescription.artifactKind, name: name, replaces: replaces, mayMend: true)
        let (tokenizer, _) = try TokenizerLoader.load(
            files: files.tokenizer(), modelType: configuration.family.identifier, cased: cased,
            longest: configuration.longestSequence)
        try configuration.check(takes: tokenizer, pairs: false)
        let writer = try context.store.writer()
        for (done, (entry, source)) in plan.enumerated() {
            if context.isCancelled() { throw Interrupted(step: nil) }
            let values = try model.values(entry, source, allowNonFinite: allowsNonFinite)
            try values.withUnsafeBytes {
                try writer.add(name: ModelDescription.tensorPrefix + entry.name, bytes: $0,
                               elementType: ElementType.float32.rawValue, shape: entry.shape)
            }
            context.observe(.progress(done: done + 1, total: plan.count, unit: "tensors"))
        }
        try StoredTokenizer.write(tokenizer, to: writer)
        let card = ModelCard(folder: files.folder)
        let digest = try writer.commit(
            kind: ModelDescription.artifactKind, attributes: try description.attributes(),
            provenance: Provenance(
                stage: "import", stageVersion: Self.version,
                recipe: ["allow_non_finite": .bool(allowsNonFinite)],
                source: card.source(metadata: checkpoint.metadata, origin: origin), license: card.license))
        try context.store.memoize(key, digest)
        try setName(digest, context.store)
        return result(digest, wasCached: false)
    }

    /// The content of all files and the options: what an import depends on.
    private func key(_ files: SourceFiles) throws -> Digest {
        let contents = try files.all.map { url in
            JSONValue.array([.string(url.lastPathComponent), .string(try Digest(contentsOf: url).description)])
        }
        var recipe: [String: JSONValue] = [
            "files": .array(contents), "cased": cased.map { .bool($0) } ?? .null, "allow_non_finite": .bool(allowsNonFinite),
        ]
        if let origin { recipe["origin"] = origin }
        return try Provenance(stage: "import", stageVersion: Self.version, recipe: .object(recipe)).stageKey()
    }

    private func setName(_ digest: Digest, _ store: Store) throws {
        try NameInUse.give(store, kind: ModelDescription.artifactKind, name: name, to: digest, replaces: replaces)
    }
}
