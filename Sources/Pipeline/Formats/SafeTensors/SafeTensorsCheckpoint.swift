import Foundation

/// Finds and opens the weights of a model.
public enum SafeTensorsCheckpoint {
    public static let fileName = "model.safetensors"
    public static let indexName = "model.safetensors.index.json"

    /// Opens a `.safetensors` file, an index (`….index.json`), or a model folder that has one of them under its usual
    /// name.
    /// A folder with both is read as `transformers` reads it: the single file.
    ///
    /// - Throws: `fileMissing` naming what was looked for; every error of the readers.
    public static func open(_ url: URL) throws -> any SafeTensorsSource {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), isFolder.boolValue else {
            return url.pathExtension == "json" ? try ShardedSafeTensors(index: url) : try SafeTensorsFile(url)
        }
        let single = url.appendingPathComponent(fileName)
        if FileManager.default.fileExists(atPath: single.path) { return try SafeTensorsFile(single) }
        let index = url.appendingPathComponent(indexName)
        if FileManager.default.fileExists(atPath: index.path) { return try ShardedSafeTensors(index: index) }
        throw FormatError(
            .fileMissing, file: url.path, "the folder has no weights in safetensors form",
            expected: "\(fileName) or \(indexName)",
            advice: "Weights in another form (pytorch_model.bin, tf_model.h5) must be converted to safetensors first.")
    }
}
