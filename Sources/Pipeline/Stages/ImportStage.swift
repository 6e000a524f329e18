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
        let configuration = EncoderConfiguration(config)
        let checkpoint = try SafeTensorsCheckpoint.open(files.weights)
        let mapping = try TensorNames(checkpoint, configuration, files.weights)
        let head = try head(config, configuration, mapping)
        let description = ModelDescription(configuration: configuration, head: head, task: nil)
        let plan = try plan(description, mapping, files)
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
        try NameInUse.check(context.store, kind: ModelDescription.artifactKind, name: name, replaces: replaces)
        let (tokenizer, _) = try TokenizerLoader.load(
            files: files.tokenizer(), modelType: configuration.family.identifier, cased: cased)
        guard tokenizer.vocabularySize <= configuration.vocabularySize else {
            throw PipelineError(
                .unfitInput, "the tokenizer has \(tokenizer.vocabularySize) ids and the model's vocabulary only "
                    + "\(configuration.vocabularySize)", advice: "Take the vocabulary that belongs to this model.")
        }
        let writer = try context.store.writer()
        for (done, (entry, source)) in plan.enumerated() {
            if context.isCancelled() { throw Interrupted(step: nil) }
            let info = try checkpoint.info(source)
            guard info.shape == entry.shape else {
                throw FormatError(
                    .shapeMismatch, file: files.weights.lastPathComponent, tensor: source,
                    "the tensor's shape does not fit the configuration", expected: "\(entry.shape)", found: "\(info.shape)",
                    advice: "Check that config.json belongs to these weights.")
            }
            let values = try checkpoint.float32(source, allowNonFinite: allowsNonFinite)
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

    /// The parameters to take and the tensors of the file that they come from.
    private func plan(_ description: ModelDescription, _ mapping: TensorNames, _ files: SourceFiles) throws
        -> [(entry: ParameterLayout.Entry, source: String)] {
        let configuration = description.configuration
        let layout = SequenceModel<CPUBackend>.layout(
            configuration, description.head?.configuration ?? HeadConfiguration(outputs: 1, loss: .crossEntropy))
        return try layout.entries.compactMap { entry in
            guard let source = mapping.source[entry.name] else {
                // A new head is made when the model is adapted; the encoder must be whole.
                guard entry.unit == .head else { throw mapping.missing(entry, files.weights) }
                return nil
            }
            guard entry.unit != .head || description.head != nil || isEncoders(entry, configuration) else { return nil }
            return (entry, source)
        }
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
        if try store.reference(kind: ModelDescription.artifactKind, name: name)?.digest == digest { return }
        try NameInUse.check(store, kind: ModelDescription.artifactKind, name: name, replaces: replaces)
        try store.setReference(kind: ModelDescription.artifactKind, name: name, to: digest, replace: replaces)
    }

    private func isEncoders(_ entry: ParameterLayout.Entry, _ c: EncoderConfiguration) -> Bool {
        c.family.denseIsPretrained && entry.name.hasPrefix(c.family.denseName + ".")
    }

    /// The head that the file brings, if it brings a whole one.
    private func head(_ config: HuggingFaceConfig, _ c: EncoderConfiguration, _ names: TensorNames) throws
        -> ModelDescription.Head? {
        let needed = [c.family.outputName + ".weight", c.family.outputName + ".bias", c.family.denseName + ".weight",
                      c.family.denseName + ".bias"]
        guard needed.allSatisfy({ names.source[$0] != nil }) else { return nil }
        let outputs = config.labelCount
        let loss: HeadConfiguration.Loss = switch config.problemType {
        case .regression: .meanSquaredError
        case .singleLabel: .crossEntropy
        case .multiLabel: .binaryCrossEntropy
        // As `transformers` decides when it is not said: one output is a regression.
        case nil: outputs == 1 ? .meanSquaredError : .crossEntropy
        }
        let labels = loss == .meanSquaredError ? [] : config.labels ?? (0..<outputs).map { "LABEL_\($0)" }
        return .init(configuration: HeadConfiguration(outputs: outputs, loss: loss), labels: labels)
    }
}

/// Refuses early what would be refused late: a name that is taken.
enum NameInUse {
    static func checkForm(_ name: String) throws {
        guard ReferenceName.isValid(name: name) else {
            throw PipelineError(
                .usage, "'\(FormatError.printable(name))' cannot be a name",
                advice: "Use letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 128.")
        }
    }

    /// - Parameter key: of the stage that is about to run; a name that stands for what it made before, and lost, is not in the way.
    static func check(_ store: Store, kind: String, name: String, replaces: Bool, making key: Digest? = nil) throws {
        try checkForm(name)
        guard !replaces, let reference = try store.reference(kind: kind, name: name) else { return }
        if let key, (try? store.artifact(reference.digest).provenance.stageKey()) == key { return }
        throw PipelineError(.usage, "the \(kind) name '\(name)' is in use",
                            advice: "Choose another name, or give --replace: the old one stays in the name's history.")
    }
}
