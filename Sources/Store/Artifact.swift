/// A manifest: what an artifact is, the blobs it is made of, and how it came to be.
///
/// Its digest is the SHA-256 of its canonical JSON (`Schemas/artifact.schema.json`), which is the very content of its
/// file.
public struct Artifact: Hashable, Sendable {
    /// The version of the manifest's form that this code writes and reads.
    public static let currentSchemaVersion = 1

    /// `model`, `dataset`, `run`, `checkpoint`, `evaluation`, …
    public var kind: String
    public var schemaVersion: Int
    /// Facts for programs and people that belong to the kind. Nothing that differs between equal runs belongs here.
    public var attributes: JSONValue
    /// In ascending order of the names' UTF-8 bytes.
    public var blobs: [BlobReference]
    public var provenance: Provenance

    public init(kind: String, attributes: JSONValue, blobs: [BlobReference], provenance: Provenance) {
        self.kind = kind
        schemaVersion = Self.currentSchemaVersion
        self.attributes = attributes
        self.blobs = blobs.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        self.provenance = provenance
    }

    /// The blob of a name; nil if there is none.
    public func blob(_ name: String) -> BlobReference? { blobs.first { $0.name == name } }

    /// The bytes of all named ranges together.
    public var logicalByteCount: Int { blobs.reduce(0) { $0 + $1.byteCount } }

    /// The manifest's content: canonical JSON.
    public func manifest() throws -> [UInt8] { try json.canonicalBytes() }

    /// Reads a manifest's content; throws `StoreError` with code `invalidManifest`, `invalidJSON` or `newerFormat`.
    public init(manifest bytes: some Sequence<UInt8>) throws {
        let bytes = Array(bytes)
        let json = try JSONValue(parsing: bytes)
        self = try Artifact(json: json)
        guard try manifest() == bytes else {
            throw StoreError(
                .invalidManifest, operation: "read a manifest", expected: "canonical JSON", found: "another form")
        }
    }

    func validate() throws {
        guard ReferenceName.isValid(kind: kind) else {
            throw StoreError(
                .invalidName, operation: "take an artifact", expected: "a kind of lower-case letters, digits and '-'",
                found: StoreError.quoted(kind))
        }
        var names: Set<String> = []
        for blob in blobs {
            try blob.validate()
            guard names.insert(blob.name).inserted else {
                throw StoreError(
                    .invalidManifest, operation: "take an artifact", expected: "one blob of a name",
                    found: "two named \(StoreError.quoted(blob.name))")
            }
        }
    }
}
