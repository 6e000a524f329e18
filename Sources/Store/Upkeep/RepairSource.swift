import Foundation

/// Where lost bytes may be found again. What it gives is checked against the digest before it is used.
public protocol RepairSource: Sendable {
    /// For people.
    var name: String { get }
    /// The plain bytes of a blob; nil if it is not here. `byteCount` is nil when nobody knows it.
    func blob(_ digest: Digest, byteCount: Int?) throws -> [UInt8]?
    /// The content of a manifest; nil if it is not here.
    func manifest(_ digest: Digest) throws -> [UInt8]?
    func reference(kind: String, name: String) throws -> Reference?
}

/// Another store.
public struct StoreSource: RepairSource {
    public let name: String
    private let store: Store

    public init(_ store: Store, name: String? = nil) {
        self.store = store
        self.name = name ?? store.location.path
    }

    public func blob(_ digest: Digest, byteCount: Int?) throws -> [UInt8]? {
        try orNothing {
            guard let facts = try store.blobReader.facts(digest), byteCount == nil || facts.plainByteCount == byteCount else { return nil }
            return try store.blobReader.bytes(digest, byteCount: facts.plainByteCount)
        }
    }

    public func manifest(_ digest: Digest) throws -> [UInt8]? {
        try orNothing { try store.manifestReader.facts(digest) == nil ? nil : store.artifact(digest).manifest() }
    }

    public func reference(kind: String, name: String) throws -> Reference? {
        try orNothing { try store.reference(kind: kind, name: name) }
    }

    /// What is damaged there, too, is not there.
    private func orNothing<Value>(_ body: () throws -> Value?) throws -> Value? {
        do { return try body() } catch let error as StoreError where error.isDamage { return nil }
    }
}

/// A file, or all files in a folder: one whose whole content has the digest.
public final class FileSource: RepairSource {
    public let name: String
    private let bySize: [Int: [URL]]

    /// - Throws: `StoreError` with code `notFound` when there is nothing at the path.
    public init(_ url: URL) throws {
        name = url.path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw StoreError(
                .notFound, operation: "look for lost bytes", path: url.path, expected: "a file or folder", found: "nothing",
                advice: "check the path")
        }
        var found = [url]
        if isFolder.boolValue {
            found = (FileManager.default.enumerator(at: url, includingPropertiesForKeys: [.fileSizeKey])?.compactMap { $0 as? URL } ?? [])
                .sorted { $0.path < $1.path }
        }
        var bySize: [Int: [URL]] = [:]
        for file in found {
            let values = try? file.resourceValues(forKeys: [.fileSizeKey, .isRegularFileKey])
            if values?.isRegularFile == true, let size = values?.fileSize { bySize[size, default: []].append(file) }
        }
        self.bySize = bySize
    }

    private func content(_ digest: Digest, _ byteCount: Int?) -> [UInt8]? {
        let files = byteCount.map { bySize[$0] ?? [] } ?? bySize.sorted { $0.key < $1.key }.flatMap(\.value)
        for file in files where (try? Digest(contentsOf: file)) == digest {
            if let data = try? Data(contentsOf: file), Digest(of: data) == digest { return Array(data) }
        }
        return nil
    }

    public func blob(_ digest: Digest, byteCount: Int?) -> [UInt8]? { content(digest, byteCount) }
    public func manifest(_ digest: Digest) -> [UInt8]? { content(digest, nil) }
    public func reference(kind: String, name: String) -> Reference? { nil }
}
