import Foundation
import Models
import Store
import Tensors
import Yams

/// The files that make up a model from outside.
struct SourceFiles {
    let folder: URL?
    /// A folder with weights, or a safetensors file.
    let weights: URL
    let configuration: URL
    private let tokenizerFiles: [URL]
    /// Whether the tokenizer's files were named, rather than looked for.
    private let areNamed: Bool

    static let tokenizerNames = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                                 "vocab.txt", "vocab.json", "merges.txt"]

    init(_ stage: ImportStage) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: stage.source.path, isDirectory: &isFolder) else {
            throw FormatError(.fileMissing, file: stage.source.path, "there is no such file or folder",
                              advice: "Give a Hugging Face model folder or a .safetensors file.")
        }
        weights = stage.source
        areNamed = !stage.vocabulary.isEmpty
        if isFolder.boolValue {
            folder = stage.source
            configuration = stage.configuration ?? stage.source.appendingPathComponent("config.json")
            tokenizerFiles = stage.vocabulary.isEmpty
                ? Self.tokenizerNames.map { stage.source.appendingPathComponent($0) } : stage.vocabulary
        } else {
            folder = nil
            guard let config = stage.configuration, !stage.vocabulary.isEmpty else {
                throw PipelineError(.usage, "a lone weights file needs its configuration and vocabulary",
                                    advice: "Give --config config.json and --vocabulary vocab.txt.")
            }
            configuration = config
            tokenizerFiles = stage.vocabulary
        }
    }

    /// Every file that is there and that the import reads, weights first.
    var all: [URL] {
        get throws {
            var files: [URL] = []
            if let folder {
                let index = folder.appendingPathComponent(SafeTensorsCheckpoint.indexName)
                let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
                files = names.filter { $0.hasSuffix(".safetensors") || $0 == "README.md" }.map { folder.appendingPathComponent($0) }
                if FileManager.default.fileExists(atPath: index.path) { files.append(index) }
            } else {
                files = [weights]
                if weights.pathExtension == "json" {
                    // An index says which files hold the tensors.
                    let shards = try ShardIndex(weights, limit: ShardedSafeTensors.longestIndex).tensorsOfShard.keys.sorted()
                    files += shards.map { weights.deletingLastPathComponent().appendingPathComponent($0) }
                }
            }
            return try files + [configuration] + presentTokenizerFiles
        }
    }

    /// A file that was named must be there; a folder has some of the known ones.
    private var presentTokenizerFiles: [URL] {
        get throws {
            try tokenizerFiles.filter { url in
                if FileManager.default.fileExists(atPath: url.path) { return true }
                guard areNamed else { return false }
                throw FormatError(.fileMissing, file: url.path, "there is no such file",
                                  advice: "Check what --vocabulary names.")
            }
        }
    }

    /// The name that the loader knows a file by; one of another name is known by its ending.
    private func role(of url: URL) throws -> String {
        let name = url.lastPathComponent
        if Self.tokenizerNames.contains(name) { return name }
        func isVocabulary(_ other: URL) -> Bool {
            other.lastPathComponent == "vocab.json"
                || other.pathExtension == "json" && !Self.tokenizerNames.contains(other.lastPathComponent)
        }
        func isMerges(_ other: URL) -> Bool {
            other.lastPathComponent == "merges.txt"
                || other.pathExtension == "txt" && !Self.tokenizerNames.contains(other.lastPathComponent)
        }
        switch url.pathExtension {
        case "txt": return tokenizerFiles.contains(where: isVocabulary) ? "merges.txt" : "vocab.txt"
        case "json": return tokenizerFiles.contains(where: isMerges) ? "vocab.json" : "tokenizer.json"
        default:
            throw PipelineError(.usage, "\(name) is no vocabulary file",
                                advice: "Known names: \(Self.tokenizerNames.joined(separator: ", ")).")
        }
    }

    /// The tokenizer's files by the names that the loader knows.
    func tokenizer() throws -> [String: Data] {
        var files: [String: Data] = [:]
        for url in try presentTokenizerFiles {
            let name = try role(of: url)
            guard files[name] == nil else {
                throw PipelineError(.usage, "two files are given for \(name), and one of them is \(url.path)",
                                    advice: "Give each file once, under the name that transformers has for it.")
            }
            do { files[name] = try Data(contentsOf: url) } catch {
                throw FormatError(.fileUnreadable, file: url.path, "the file cannot be read", found: "\(error.localizedDescription)")
            }
        }
        return files
    }
}

/// Which tensor of a file is which parameter: with and without the family's prefix, `gamma` and `beta` for LayerNorms.
struct TensorNames {
    /// File name by our name.
    private(set) var source: [String: String] = [:]
    private let family: ModelFamily

    init(_ checkpoint: any SafeTensorsSource, _ configuration: EncoderConfiguration, _ file: URL) throws {
        family = configuration.family
        for name in checkpoint.order {
            let ours = canonical(name)
            if let other = source[ours] {
                throw FormatError(.parameterNamedTwice, file: file.lastPathComponent, tensor: name,
                                  "two tensors stand for \(ours)", found: other,
                                  advice: "Remove one of them.")
            }
            source[ours] = name
        }
    }

    private func canonical(_ name: String) -> String {
        var name = name
        for (old, new) in [(".gamma", ".weight"), (".beta", ".bias")] where name.hasSuffix("LayerNorm" + old) {
            name = String(name.dropLast(old.count)) + new
        }
        for part in ["embeddings.", "encoder.", "pooler."] where name.hasPrefix(part) { return family.prefix + name }
        return name
    }

    func missing(_ entry: ParameterLayout.Entry, _ file: URL) -> FormatError {
        FormatError(.missingTensor, file: file.lastPathComponent, tensor: entry.name, "the encoder needs this tensor, and it is not there",
                    expected: "\(entry.shape)", advice: "Check that config.json belongs to these weights.")
    }
}

/// What a model folder says about its origin and licence: the front matter of its README.md.
struct ModelCard {
    private(set) var license: String?
    private(set) var facts: [String: String] = [:]

    init(folder: URL?) {
        guard let folder, let read = try? String(contentsOf: folder.appendingPathComponent("README.md"), encoding: .utf8) else { return }
        let text = read.replacingOccurrences(of: "\r\n", with: "\n")
        guard text.hasPrefix("---\n"), let end = text.dropFirst(4).range(of: "\n---") else { return }
        let header = String(text[text.index(text.startIndex, offsetBy: 4)..<end.lowerBound])
        let root = (try? Yams.compose(yaml: header))?.mapping
        for key in ["license", "license_name", "license_link", "language", "base_model", "model_name", "library_name", "pipeline_tag"] {
            let values = root.map { root in root[key].map { node in node.sequence.map { $0.compactMap(\.string) } ?? [node.string ?? ""] } ?? [] }
                ?? Self.plainValues(of: key, in: header)
            let value = values.filter { !$0.isEmpty }.joined(separator: ", ")
            if !value.isEmpty { facts[key] = value }
        }
        license = facts["license"]
        // A licence of its own goes by its name.
        if license == "other", let name = facts["license_name"] { license = name }
    }

    /// Of a header that is no YAML as a whole, as many a card's is: lines of the outermost level.
    private static func plainValues(of key: String, in header: String) -> [String] {
        header.split(separator: "\n").filter { $0.hasPrefix(key + ":") }.prefix(1).map {
            $0.dropFirst(key.count + 1).trimmingCharacters(in: .whitespaces)
        }
    }

    /// Facts of the card, the metadata of the weights file and the origin, for the provenance.
    func source(metadata: [String: String], origin: JSONValue? = nil) -> JSONValue {
        var members = facts.mapValues { JSONValue.string($0) }
        members.merge(origin?.objectValue ?? [:]) { $1 }
        if !metadata.isEmpty { members["metadata"] = .object(metadata.mapValues { .string($0) }) }
        return .object(members)
    }
}
