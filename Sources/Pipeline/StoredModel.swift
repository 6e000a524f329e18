import Foundation
import Models
import Store
import Tensors
import Tokenizers

/// A model in the store: its description, and its tensors and tokenizer on demand.
public struct StoredModel {
    public let store: Store
    public let digest: Digest
    public let artifact: Artifact
    public let description: ModelDescription

    public init(_ store: Store, digest: Digest, artifact: Artifact) throws {
        self.store = store
        self.digest = digest
        self.artifact = artifact
        description = try ModelDescription(artifact)
    }

    /// Which of a model and a run of the same name is meant.
    public enum Preference: Sendable {
        /// To begin from: import's name comes first.
        case model
        /// To use: what was adapted comes first.
        case run
    }

    /// A model by its name or digest, or the model that a run of that name made.
    ///
    /// - Throws: `StoreError` with code `notFound` and the names that are near.
    public static func find(_ text: String, in store: Store, preferring preference: Preference = .run) throws -> StoredModel {
        let kinds = [ModelDescription.artifactKind, RunRecord.artifactKind]
        let preferred = preference == .model ? kinds[0] : kinds[1]
        let digest: Digest, artifact: Artifact
        if ReferenceName.isValid(name: text), let reference = try store.reference(kind: preferred, name: text) {
            (digest, artifact) = (reference.digest, try store.artifact(reference.digest))
        } else {
            let found = try store.resolve(text, kinds: kinds)
            (digest, artifact) = (found.digest, found.artifact)
        }
        guard artifact.kind == RunRecord.artifactKind else { return try StoredModel(store, digest: digest, artifact: artifact) }
        let model = try RunRecord(artifact).model
        return try StoredModel(store, digest: model, artifact: store.artifact(model))
    }

    /// Number format that the model was adapted in: what it is evaluated and used in unless something else is asked for.
    public var precision: Precision {
        artifact.provenance.recipe["recipe"]?["precision"]?.stringValue.flatMap(Precision.init(rawValue:)) ?? .fp32
    }

    /// - Throws: `PipelineError` with code `unfitInput` for one whose ids the model's tables do not have.
    public func tokenizer() throws -> any Tokenizer {
        let tokenizer = try StoredTokenizer.read(artifact, store)
        try description.configuration.check(takes: tokenizer, pairs: false)
        return tokenizer
    }

    /// Whether the model has a tensor of this name.
    func hasTensor(_ name: String) -> Bool { artifact.blob(ModelDescription.tensorPrefix + name) != nil }

    /// Fills the parameters whose tensors the model has and that `wants` names; returns the names of the others.
    func load(into parameters: Parameters, where wants: (ParameterLayout.Entry) -> Bool = { _ in true }) throws -> [String] {
        var missing: [String] = []
        var requests: [(blob: BlobReference, target: UnsafeMutableRawBufferPointer)] = []
        for entry in parameters.layout.entries {
            guard wants(entry), let blob = artifact.blob(ModelDescription.tensorPrefix + entry.name) else {
                missing.append(entry.name)
                continue
            }
            guard blob.shape == entry.shape, blob.elementType == ElementType.float32.rawValue else {
                throw PipelineError(
                    .unfitInput, "tensor \(entry.name) of the stored model is \(blob.elementType ?? "bytes") \(blob.shape ?? []), "
                        + "expected float32 \(entry.shape)", advice: "Import the model again.")
            }
            requests.append((blob, UnsafeMutableRawBufferPointer(parameters[entry])))
        }
        try store.read(requests)
        return missing
    }

    /// The weights of a model with a head, all of them.
    func weights() throws -> (Parameters, HeadConfiguration) {
        guard let head = description.head?.configuration else {
            throw PipelineError(.unfitInput, "the model is a bare encoder without a head",
                                advice: "Adapt it to a task first: pipeline adapt --model … --data … --name …")
        }
        let parameters = Parameters(layout: SequenceModel<CPUBackend>.layout(description.configuration, head))
        let missing = try load(into: parameters)
        guard missing.isEmpty else {
            throw PipelineError(.unfitInput, "the stored model lacks \(missing.joined(separator: ", "))",
                                advice: "Adapt it to a task first, which makes a new head.")
        }
        return (parameters, head)
    }
}

/// A tokenizer inside an artifact: three small blobs.
enum StoredTokenizer {
    static let specification = "tokenizer/specification.json"
    static let vocabulary = "tokenizer/vocabulary.txt"
    static let merges = "tokenizer/merges.txt"

    static func write(_ tokenizer: any Tokenizer, to writer: ArtifactWriter) throws {
        let archive = tokenizer.archive
        try writer.add(name: specification, data: try archive.specificationData())
        try writer.add(name: vocabulary, data: archive.vocabulary)
        if let lines = archive.merges { try writer.add(name: merges, data: lines) }
    }

    /// Copies the blobs of another artifact, which are in the store already.
    static func copy(from artifact: Artifact, _ store: Store, to writer: ArtifactWriter) throws {
        for name in [specification, vocabulary, merges] {
            if let blob = artifact.blob(name) { try writer.add(name: name, data: try store.data(blob)) }
        }
    }

    static func read(_ artifact: Artifact, _ store: Store) throws -> any Tokenizer {
        guard let spec = artifact.blob(specification), let words = artifact.blob(vocabulary) else {
            throw PipelineError(.unfitInput, "the stored model has no tokenizer",
                                advice: "Import it from a folder with its vocabulary.")
        }
        return try TokenizerArchive(
            specificationData: store.data(spec), vocabulary: store.data(words),
            merges: artifact.blob(merges).map { try store.data($0) }
        ).makeTokenizer()
    }

    /// What a dataset's token ids depend on.
    static func digest(_ artifact: Artifact, _ store: Store) throws -> Digest {
        var bytes = Data()
        for name in [specification, vocabulary, merges] {
            if let blob = artifact.blob(name) { bytes += Digest(of: try store.data(blob)).description.utf8 }
        }
        return Digest(of: bytes)
    }
}
