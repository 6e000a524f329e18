import Foundation
import Models
import Store
import Tensors
import Tokenizers

/// A model → a folder that `transformers` loads: weights, configuration with label names, tokenizer files, a model card.
public struct ExportStage {
    /// A run or a model.
    public var model: String
    public var folder: URL
    public var replaces: Bool

    public init(model: String, folder: URL, replaces: Bool = false) {
        (self.model, self.folder, self.replaces) = (model, folder, replaces)
    }

    /// A folder that has it is a model's.
    private static let lastFile = "config.json"

    public struct Result: Sendable {
        public let model: Digest
        public let files: [String]
    }

    /// Writes beside the target first and renames at the end: a folder that is there is whole. An empty folder stays the one it is and
    /// gets the files one by one, `config.json` last; of a link the folder that it leads to is meant.
    public func run(_ context: StageContext) throws -> Result {
        let stored = try StoredModel.find(model, in: context.store)
        let manager = FileManager.default, folder = folder.resolvingSymlinksInPath()
        let present = try? manager.contentsOfDirectory(atPath: folder.path)
        let exists = manager.fileExists(atPath: folder.path)
        if exists, present?.isEmpty != true {
            guard replaces else {
                throw PipelineError(.usage, "\(folder.path) exists and is not empty",
                                    advice: "Choose another folder, or give --replace.")
            }
            guard let present, present.contains(Self.lastFile) else {
                throw PipelineError(.usage, "\(folder.path) is not a model's folder: it has no config.json",
                                    advice: "Choose another folder; --replace takes the place of an earlier model only.")
            }
        }
        func beside() -> URL {
            folder.deletingLastPathComponent().appendingPathComponent(".\(folder.lastPathComponent).\(UUID().uuidString)")
        }
        let temporary = beside(), old = beside()
        do {
            try manager.createDirectory(at: temporary, withIntermediateDirectories: true)
            let files = try write(stored, to: temporary, context)
            if exists, present?.isEmpty == true {
                for file in files.sorted(by: { $1 == Self.lastFile && $0 != $1 }) {
                    try manager.moveItem(at: temporary.appendingPathComponent(file), to: folder.appendingPathComponent(file))
                }
                try manager.removeItem(at: temporary)
                return Result(model: stored.digest, files: files)
            }
            if exists { try manager.moveItem(at: folder, to: old) }
            do { try manager.moveItem(at: temporary, to: folder) } catch {
                if exists { try? manager.moveItem(at: old, to: folder) }
                throw error
            }
            if exists { try? manager.removeItem(at: old) }
            return Result(model: stored.digest, files: files)
        } catch let error as CocoaError {
            try? manager.removeItem(at: temporary)
            throw FormatError(.fileUnwritable, file: folder.path, "the folder cannot be written", found: error.localizedDescription,
                              advice: "Check that there is space and permission.")
        } catch {
            try? manager.removeItem(at: temporary)
            throw error
        }
    }

    private func write(_ stored: StoredModel, to folder: URL, _ context: StageContext) throws -> [String] {
        let prefix = ModelDescription.tensorPrefix
        let head = stored.description.head
        // A bare encoder is saved as `transformers` saves it: without the family's prefix.
        let strip = head == nil ? stored.description.configuration.family.prefix : ""
        let tensors = stored.artifact.blobs.filter { $0.name.hasPrefix(prefix) }
        func name(_ blob: BlobReference) -> String {
            let full = String(blob.name.dropFirst(prefix.count))
            return full.hasPrefix(strip) ? String(full.dropFirst(strip.count)) : full
        }
        let writer = try SafeTensorsWriter(
            folder.appendingPathComponent(SafeTensorsCheckpoint.fileName),
            entries: tensors.map { .init(name: name($0), shape: $0.shape ?? []) })
        for (done, blob) in tensors.enumerated() {
            if context.isCancelled() { throw Interrupted(step: nil) }
            let values = UnsafeMutableRawBufferPointer.allocate(byteCount: blob.byteCount, alignment: 64)
            defer { values.deallocate() }
            try context.store.read(blob, into: values)
            try writer.write(name(blob), UnsafeBufferPointer(values.bindMemory(to: Float.self)))
            context.observe(.progress(done: done + 1, total: tensors.count, unit: "tensors"))
        }
        try writer.finish()
        var files = [SafeTensorsCheckpoint.fileName]
        func add(_ name: String, _ data: Data) throws {
            try data.write(to: folder.appendingPathComponent(name))
            files.append(name)
        }
        try add(Self.lastFile, Data(HuggingFaceConfig(stored.description).json().utf8))
        for (name, data) in try HuggingFaceTokenizerFiles.files(
            for: stored.tokenizer(), longest: stored.description.configuration.longestSequence
        ).sorted(by: { $0.key < $1.key }) { try add(name, data) }
        try add("README.md", Data(card(stored).utf8))
        return files
    }

    private func card(_ stored: StoredModel) -> String {
        var lines = ["---"]
        if let license = stored.artifact.provenance.license { lines.append("license: \(license)") }
        lines += ["library_name: transformers", "---", "", "Exported by `pipeline`. Digest of the stored model: `\(stored.digest)`."]
        if let task = stored.description.task {
            lines.append("Adapted to the task `\(task.name)`" + (task.labels.isEmpty ? "." : ", labels: \(task.labels.joined(separator: ", "))."))
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
