import Store

/// What names a content by digest and size in a registry or a bundle.
struct OCIDescriptor: Hashable, Sendable {
    var mediaType: String
    var digest: Digest
    var size: Int
    var annotations: [String: String] = [:]

    var json: JSONValue {
        var members: [String: JSONValue] = [
            "mediaType": .string(mediaType), "digest": .string(digest.description), "size": .integer(Int64(size)),
        ]
        if !annotations.isEmpty { members["annotations"] = .object(annotations.mapValues { .string($0) }) }
        return .object(members)
    }

    init(_ mediaType: String, _ digest: Digest, size: Int, annotations: [String: String] = [:]) {
        (self.mediaType, self.digest, self.size, self.annotations) = (mediaType, digest, size, annotations)
    }

    init(json: JSONValue?) throws {
        guard let json, let mediaType = json["mediaType"]?.stringValue, let text = json["digest"]?.stringValue,
            let size = json["size"]?.integerValue.flatMap({ Int(exactly: $0) }), size >= 0
        else { throw OCIManifest.fault("a descriptor with media type, digest and size", "something else") }
        guard let digest = Digest(text) else { throw OCIManifest.fault("a SHA-256 digest", RemoteError.printable(text)) }
        self.init(mediaType, digest, size: size, annotations: try OCIManifest.annotations(json["annotations"]))
    }
}

/// An OCI image manifest: one artifact with its closure as layers.
struct OCIManifest: Hashable, Sendable {
    /// Registries commonly take manifests up to this size.
    static let largest = 4 << 20

    var artifactType: String
    var configuration: OCIDescriptor
    var layers: [OCIDescriptor]
    var annotations: [String: String]

    init(artifactType: String, configuration: OCIDescriptor, layers: [OCIDescriptor], annotations: [String: String]) {
        (self.artifactType, self.configuration, self.layers, self.annotations) = (artifactType, configuration, layers, annotations)
    }

    func bytes() throws -> [UInt8] {
        let json: JSONValue = [
            "schemaVersion": 2, "mediaType": .string(MediaType.manifest), "artifactType": .string(artifactType),
            "config": configuration.json, "layers": .array(layers.map(\.json)),
            "annotations": .object(annotations.mapValues { .string($0) }),
        ]
        return try json.canonicalBytes()
    }

    /// - Throws: `RemoteError` with code `unexpectedAnswer`.
    init(parsing bytes: some Sequence<UInt8>) throws {
        let json: JSONValue
        do { json = try JSONValue(parsing: bytes) } catch { throw Self.fault("JSON", "\(error)") }
        guard json["schemaVersion"] == 2, json["mediaType"]?.stringValue ?? MediaType.manifest == MediaType.manifest,
            let layers = json["layers"]?.arrayValue
        else {
            throw Self.fault("an OCI image manifest", json["mediaType"]?.stringValue.map { RemoteError.printable($0) } ?? "something else")
        }
        self.init(
            artifactType: json["artifactType"]?.stringValue ?? "", configuration: try OCIDescriptor(json: json["config"]),
            layers: try layers.map { try OCIDescriptor(json: $0) }, annotations: try Self.annotations(json["annotations"]))
    }

    static func annotations(_ json: JSONValue?) throws -> [String: String] {
        guard let json, json != .null else { return [:] }
        guard let members = json.objectValue else { throw fault("annotations as an object", "something else") }
        return try members.mapValues { value in
            guard let text = value.stringValue else { throw fault("annotations of strings", "something else") }
            return text
        }
    }

    static func fault(_ expected: String, _ found: String) -> RemoteError {
        RemoteError(
            .unexpectedAnswer, operation: "read a manifest from elsewhere", expected: expected, found: found,
            advice: "check that the address is of an artifact that 'pipeline push' made")
    }

    /// The digest of the artifact that was sent.
    var root: Digest? { annotations[Annotation.artifact].flatMap { Digest($0) } }
}
