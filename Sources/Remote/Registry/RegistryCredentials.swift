import Foundation
import Store

/// A user's name and password for a registry.
struct RegistryCredentials: Hashable, Sendable {
    let user: String
    let password: String

    var basic: String { "Basic " + Data("\(user):\(password)".utf8).base64EncodedString() }

    /// From `PIPELINE_REGISTRY_USER` and `PIPELINE_REGISTRY_PASSWORD`, else from Docker's `config.json`; nil if neither has any.
    ///
    /// - Throws: `RemoteError` with code `unauthorized` for a user without a password or a file that cannot be understood.
    static func find(host: String, _ environment: [String: String] = ProcessInfo.processInfo.environment) throws
        -> RegistryCredentials?
    {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let user = value("PIPELINE_REGISTRY_USER") {
            guard let password = value("PIPELINE_REGISTRY_PASSWORD") else {
                throw RemoteError(
                    .unauthorized, operation: "take the registry's credentials", expected: "PIPELINE_REGISTRY_PASSWORD",
                    found: "PIPELINE_REGISTRY_USER only", advice: "set both")
            }
            return RegistryCredentials(user: user, password: password)
        }
        guard let folder = value("DOCKER_CONFIG") ?? value("HOME").map({ $0 + "/.docker" }) else { return nil }
        return try read(folder + "/config.json", host)
    }

    private static func read(_ path: String, _ host: String) throws -> RegistryCredentials? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        func fault(_ found: String) -> RemoteError {
            RemoteError(
                .unauthorized, operation: "read the registry's credentials", place: path, expected: "Docker's configuration",
                found: found, advice: "correct the file, or set PIPELINE_REGISTRY_USER and PIPELINE_REGISTRY_PASSWORD")
        }
        guard data.count <= 1 << 20, let json = try? JSONValue(parsing: data) else { throw fault("something else") }
        let entries = json["auths"]?.objectValue ?? [:]
        for key in [host, "https://\(host)", "https://\(host)/v1/", "https://\(host)/v2/"] {
            guard let encoded = entries[key]?["auth"]?.stringValue, !encoded.isEmpty else { continue }
            guard let plain = Data(base64Encoded: encoded), let text = String(data: plain, encoding: .utf8),
                let colon = text.firstIndex(of: ":")
            else { throw fault("an entry for \(host) that cannot be read") }
            return RegistryCredentials(user: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
        }
        return nil
    }
}
