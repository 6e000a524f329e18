import Foundation
import Pipeline
import Remote
import Store

/// A model's files from the hub, in a folder of their own until they are in the store.
struct HubDownload {
    let folder: URL
    /// For the provenance.
    let source: JSONValue
    let description: String

    /// Fetches what is not there yet; what an interrupted attempt left is gone on with.
    init(_ address: HubAddress, _ context: TransferContext) throws {
        let client = HubClient(context)
        let revision = try client.revision(address)
        folder = try Self.cache().appendingPathComponent(
            "\(address.repository.replacingOccurrences(of: "/", with: "--"))/\(revision.commit)", isDirectory: true)
        try client.fetch(revision, into: folder)
        source = revision.source
        description = "\(FormatError.printable(client.endpoint))/\(address.repository), revision \(revision.commit.prefix(12))"
    }

    /// The store has it all now.
    func remove() {
        try? FileManager.default.removeItem(at: folder)
        // Of other revisions something may be there still.
        rmdir(folder.deletingLastPathComponent().path)
    }

    private static func cache(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws -> URL {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil } }
        guard let base = value("XDG_CACHE_HOME") ?? value("HOME").map({ $0 + "/.cache" }) else {
            throw PipelineError(.usage, "there is no home folder to download to", advice: "Set XDG_CACHE_HOME.")
        }
        return URL(fileURLWithPath: base + "/pipeline/hub", isDirectory: true)
    }
}
