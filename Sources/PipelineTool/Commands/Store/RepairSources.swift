import Foundation
import Pipeline
import Store

/// What `--from` stands for: another store, a model folder, weights, or files to look through.
final class RepairSources {
    private(set) var sources: [any RepairSource] = []
    /// Holds models that were imported only to find their parts.
    private var scratch: [URL] = []

    init(_ paths: [String], _ session: Session) throws {
        for path in paths {
            let url = URL(fileURLWithPath: path)
            if FileManager.default.fileExists(atPath: url.appendingPathComponent("format").path) {
                sources.append(StoreSource(try Store(at: url, mode: .readOnly, tool: Tool.name) { session.progress.note($0) }, name: path))
                continue
            }
            sources.append(try FileSource(url))
            let isFolder = (try? url.resourceValues(forKeys: [.isDirectoryKey]))?.isDirectory == true
            if isFolder, FileManager.default.fileExists(atPath: url.appendingPathComponent("config.json").path) {
                try importModel(url, path, session)
            } else if let tensors = try? TensorRepairSource(url) {
                sources.append(tensors)
            }
        }
    }

    deinit { for url in scratch { try? FileManager.default.removeItem(at: url) } }

    /// Packs of small tensors and the tokenizer's parts come about only by importing.
    private func importModel(_ url: URL, _ path: String, _ session: Session) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pipeline-repair-\(UUID().uuidString)")
        scratch.append(folder)
        let store = try Store(at: folder, tool: Tool.name)
        var context = session.context()
        context = StageContext(store: store, threads: context.threads, isCancelled: context.isCancelled)
        // What is not said by the files was said by an option then.
        for (number, cased) in [nil, true, false].enumerated() {
            var stage = ImportStage(source: url, cased: cased, name: "found-\(number)")
            do { _ = try stage.run(context) } catch is FormatError {
                stage.allowsNonFinite = true
                _ = try? stage.run(context)
            } catch let error as Interrupted { throw error } catch let error as StoreError { throw error } catch { continue }
        }
        sources.append(StoreSource(store, name: path))
    }
}
