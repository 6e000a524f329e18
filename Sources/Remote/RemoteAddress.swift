import Foundation
import Store

/// Where to send to or take from, as people write it: `REMOTE` or `REMOTE:NAME`.
///
/// `oci://HOST[:PORT]/REPOSITORY[:TAG]` or `…@DIGEST` is a registry; a path that ends in `.pipeline` a bundle; any other
/// path a folder with a store.
public struct RemoteAddress: Sendable, Hashable {
    public enum Place: Sendable, Hashable {
        case folder(URL)
        case bundle(URL)
        case registry(RegistryAddress)
    }

    public let place: Place
    /// The name of an artifact there, if one was given.
    public let name: String?

    public static let bundleExtension = "pipeline"

    /// - Throws: `RemoteError` with code `invalidAddress`.
    public init(_ text: String) throws {
        if text.hasPrefix("oci://") {
            let (address, tag) = try RegistryAddress.parse(text)
            (place, name) = (.registry(address), tag)
            return
        }
        guard !text.isEmpty, !text.contains("://") else {
            throw RemoteError(
                .invalidAddress, operation: "use a remote", place: text,
                expected: "a folder, a file that ends in .\(Self.bundleExtension), or oci://HOST/REPOSITORY:TAG")
        }
        var path = text
        var name: String?
        // A colon may be part of a path that is there; else it stands before a name.
        if let colon = text.lastIndex(of: ":"), !FileManager.default.fileExists(atPath: text) {
            let rest = String(text[text.index(after: colon)...])
            if ReferenceName.isValid(name: rest), colon > text.startIndex { (path, name) = (String(text[..<colon]), rest) }
        }
        let url = URL(fileURLWithPath: path)
        place = url.pathExtension == Self.bundleExtension && !Self.isFolder(path) ? .bundle(url) : .folder(url)
        self.name = name
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    /// The remote at this address.
    public func open(tool: String? = nil, _ context: TransferContext = TransferContext()) -> any Remote {
        switch place {
        case .folder(let url): FolderRemote(url, tool: tool)
        case .bundle(let url): BundleRemote(url)
        case .registry(let address): RegistryRemote(address, context)
        }
    }
}

/// A registry's host and a repository there.
public struct RegistryAddress: Sendable, Hashable {
    /// With the port, if one is given.
    public let host: String
    public let repository: String

    /// Plain http is spoken with this machine only.
    var base: URL {
        let name = host.hasPrefix("[") ? String(host.prefix { $0 != "]" }) : String(host.prefix { $0 != ":" })
        return URL(string: "\(HTTPClient.isLoopback(name) ? "http" : "https")://\(host)")!
    }

    /// The address, and the tag or digest after it.
    static func parse(_ text: String) throws -> (RegistryAddress, reference: String?) {
        func fault(_ found: String) -> RemoteError {
            RemoteError(
                .invalidAddress, operation: "use a registry", place: text, expected: "oci://HOST[:PORT]/REPOSITORY[:TAG]", found: found)
        }
        let rest = text.dropFirst("oci://".count)
        guard let slash = rest.firstIndex(of: "/") else { throw fault("no repository") }
        let host = String(rest[..<slash])
        var repository = String(rest[rest.index(after: slash)...])
        var reference: String?
        if let at = repository.firstIndex(of: "@") {
            reference = String(repository[repository.index(after: at)...])
            guard Digest(reference!) != nil else { throw fault("no SHA-256 digest after '@'") }
            repository = String(repository[..<at])
        } else if let colon = repository.lastIndex(of: ":") {
            reference = String(repository[repository.index(after: colon)...])
            guard ReferenceName.isValid(name: reference!) else { throw fault("no tag after ':'") }
            repository = String(repository[..<colon])
        }
        let hostPattern = #/(\[[0-9a-fA-F:]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?/#
        guard host.wholeMatch(of: hostPattern) != nil else { throw fault("no host") }
        let repositoryPattern = #/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*/#
        guard repository.utf8.count <= 255, repository.wholeMatch(of: repositoryPattern) != nil else {
            throw fault("a repository that is not of lower-case letters, digits and '.', '_', '-', '/'")
        }
        return (RegistryAddress(host: host, repository: repository), reference)
    }
}
