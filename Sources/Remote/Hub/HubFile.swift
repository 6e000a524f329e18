import Foundation
import Store

/// A file of a hub's repository as its list tells.
struct HubFile: Hashable, Sendable {
    let name: String
    /// nil where the hub does not say.
    let size: Int?
    /// Of large files.
    let sha256: Digest?
    /// The git object's name of small files: the SHA-1 of `blob SIZE\0` and the content, in hexadecimal.
    let gitObject: String?

    /// Whether names alone are known, so that what arrives cannot be checked.
    var isUnchecked: Bool { sha256 == nil && gitObject == nil }

    /// What stands for the content: equal where the content is equal.
    var identity: String { sha256?.description ?? "git:\(gitObject ?? "unknown")" }

    init(json: JSONValue) throws {
        guard let name = json["rfilename"]?.stringValue else { throw Self.fault("a name of each file", "none") }
        self.name = name
        size = try (json["lfs"]?["size"] ?? json["size"])?.integerValue.map { value in
            guard let size = Int(exactly: value), size >= 0 else { throw Self.fault("a size", "\(value)") }
            return size
        }
        let large = json["lfs"]?["sha256"]?.stringValue ?? json["lfs"]?["oid"]?.stringValue
        sha256 = try large.map { text in
            guard let digest = Digest(hex: text) else {
                throw Self.fault("a SHA-256 of \(RemoteError.printable(name, limit: 80))", "something else")
            }
            return digest
        }
        // Of a large file the git object is only a pointer.
        gitObject = large == nil ? json["blobId"]?.stringValue : nil
    }

    private init(name: String, size: Int?, sha256: Digest?, gitObject: String?) {
        (self.name, self.size, self.sha256, self.gitObject) = (name, size, sha256, gitObject)
    }

    /// With what the head of the file's own answer says where the list said nothing.
    func completed(by head: HTTPHead) -> HubFile {
        let tag = (head.headers["x-linked-etag"] ?? head.headers["etag"] ?? "").replacing(#/^W\//#, with: "")
            .trimmingCharacters(in: CharacterSet(charactersIn: "\""))
        let announced = head.headers["x-linked-size"].flatMap { Int($0) } ?? (head.isSuccess ? head.contentLength : nil)
        return HubFile(
            name: name, size: size ?? announced, sha256: isUnchecked ? Digest(hex: tag) : sha256,
            gitObject: isUnchecked && tag.wholeMatch(of: #/[0-9a-f]{40}/#) != nil ? tag : gitObject)
    }

    private static func fault(_ expected: String, _ found: String) -> RemoteError {
        RemoteError(.unexpectedAnswer, operation: "read the hub's list of files", expected: expected, found: found)
    }

    /// Whether a file on disk is this one.
    func fits(_ url: URL) throws -> Bool {
        let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
        let count = attributes[.size] as? Int ?? -1
        if let size, size != count { return false }
        if let sha256 { return try Digest(contentsOf: url) == sha256 }
        guard let gitObject else { return true }
        return try GitObject.name(ofFile: url, byteCount: count) == gitObject
    }
}

/// A repository of a hub at one commit.
public struct HubRevision: Hashable, Sendable {
    public let repository: String
    /// What was asked for: a branch, a tag or a commit.
    public let requested: String
    public let commit: String
    public let endpoint: String
    let files: [HubFile]

    /// The files of a model that an import reads.
    ///
    /// - Throws: `RemoteError` with code `notFound` naming what is missing.
    func needed() throws -> (now: [HubFile], index: HubFile?) {
        let byName = Dictionary(files.map { ($0.name, $0) }) { first, _ in first }
        guard byName["config.json"] != nil else { throw missing("config.json") }
        var names = ["config.json", "README.md"] + HubClient.tokenizerFiles
        var index: HubFile?
        if byName[HubClient.weights] != nil {
            names.append(HubClient.weights)
        } else if let found = byName[HubClient.weightsIndex] {
            names.append(found.name)
            index = found
        } else {
            throw missing("\(HubClient.weights) or \(HubClient.weightsIndex)")
        }
        return (names.compactMap { byName[$0] }, index)
    }

    func file(_ name: String) -> HubFile? { files.first { $0.name == name } }

    func missing(_ what: String) -> RemoteError {
        let others = files.map(\.name).filter { $0.hasSuffix(".bin") || $0.hasSuffix(".h5") || $0.hasSuffix(".safetensors") }
        return RemoteError(
            .notFound, operation: "import hf:\(repository)", place: endpoint, expected: what,
            found: others.isEmpty ? "no weights" : others.prefix(5).map { RemoteError.printable($0, limit: 80) }.joined(separator: ", "),
            advice: "choose a repository or a revision with safetensors weights")
    }

    /// For the provenance.
    public var source: JSONValue {
        [
            "hub": .string(endpoint), "repository": .string(repository), "revision": .string(commit),
            "url": .string("\(endpoint)/\(repository)"),
        ]
    }
}

/// `hf:ORG/NAME[@REVISION]`, or `hf:NAME` for the hub's oldest models.
public struct HubAddress: Hashable, Sendable {
    public static let scheme = "hf:"

    public let repository: String
    public let revision: String

    /// - Throws: `RemoteError` with code `invalidAddress`.
    public init(_ text: String) throws {
        let rest = text.hasPrefix(Self.scheme) ? text.dropFirst(Self.scheme.count) : Substring(text)
        let parts = rest.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        repository = parts[0]
        revision = parts.count == 2 ? parts[1] : "main"
        let word = #/[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}/#
        let names = repository.split(separator: "/", omittingEmptySubsequences: false)
        let areNames = (1...2).contains(names.count) && names.allSatisfy { $0.wholeMatch(of: word) != nil && !$0.contains("..") }
        let isRevision = revision.wholeMatch(of: #/[A-Za-z0-9_][A-Za-z0-9_.\/-]{0,127}/#) != nil && !revision.contains("..")
        guard areNames, isRevision else {
            throw RemoteError(
                .invalidAddress, operation: "use a hub's address", place: text, expected: "hf:ORG/NAME or hf:ORG/NAME@REVISION")
        }
    }
}
