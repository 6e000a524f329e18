/// The manifest's form in JSON: every member named in the schema, no other.
extension Artifact {
    var json: JSONValue {
        [
            "attributes": attributes,
            "blobs": .array(blobs.map(\.json)),
            "kind": .string(kind),
            "provenance": [
                "inputs": .object(provenance.inputs.mapValues { .string($0.description) }),
                "license": provenance.license.map { .string($0) } ?? .null,
                "recipe": provenance.recipe,
                "source": provenance.source,
                "stage": .string(provenance.stage),
                "stageVersion": .integer(Int64(provenance.stageVersion)),
            ],
            "schemaVersion": .integer(Int64(schemaVersion)),
        ]
    }

    init(json: JSONValue) throws {
        let members = try Members(json, of: "the manifest")
        let version = try members.integer("schemaVersion")
        guard version == Self.currentSchemaVersion else {
            throw StoreError(
                version > Self.currentSchemaVersion ? .newerFormat : .invalidManifest, operation: "read a manifest",
                expected: "schema version \(Self.currentSchemaVersion)", found: "\(version)",
                advice: version > Self.currentSchemaVersion ? "use a newer version of this tool" : nil)
        }
        let origin = try Members(members.value("provenance"), of: "provenance")
        var inputs: [String: Digest] = [:]
        for (role, value) in try Members(origin.value("inputs"), of: "inputs").members {
            inputs[role] = try Digest(parsing: value.stringValue ?? "")
        }
        self.init(
            kind: try members.string("kind"), attributes: try members.value("attributes"),
            blobs: try members.array("blobs").map { try BlobReference(json: $0) },
            provenance: Provenance(
                stage: try origin.string("stage"), stageVersion: try origin.integer("stageVersion"),
                recipe: try origin.value("recipe"), inputs: inputs, source: try origin.value("source"),
                license: try origin.optionalString("license")))
        try members.refuseOthers(than: ["attributes", "blobs", "kind", "provenance", "schemaVersion"])
        try origin.refuseOthers(than: ["inputs", "license", "recipe", "source", "stage", "stageVersion"])
        try validate()
    }
}

extension BlobReference {
    var json: JSONValue {
        var members: [String: JSONValue] = [
            "blobByteCount": .integer(Int64(blobByteCount)), "byteCount": .integer(Int64(byteCount)),
            "digest": .string(digest.description), "name": .string(name), "offset": .integer(Int64(offset)),
        ]
        if let base { members["base"] = .string(base.description) }
        if let elementType { members["elementType"] = .string(elementType) }
        if let shape { members["shape"] = .array(shape.map { .integer(Int64($0)) }) }
        return .object(members)
    }

    init(json: JSONValue) throws {
        let members = try Members(json, of: "a blob")
        var shape: [Int]?
        if members.members["shape"] != nil {
            shape = try members.array("shape").map { try Members.integer($0, "a factor of a shape") }
        }
        self.init(
            name: try members.string("name"), digest: try Digest(parsing: members.string("digest")),
            offset: try members.integer("offset"), byteCount: try members.integer("byteCount"),
            blobByteCount: try members.integer("blobByteCount"),
            elementType: members.members["elementType"] == nil ? nil : try members.string("elementType"), shape: shape,
            base: members.members["base"] == nil ? nil : try Digest(parsing: members.string("base")))
        try members.refuseOthers(
            than: ["base", "blobByteCount", "byteCount", "digest", "elementType", "name", "offset", "shape"])
    }
}

/// A JSON object read member by member, each with its own complaint.
struct Members {
    let members: [String: JSONValue]
    private let place: String

    init(_ json: JSONValue, of place: String) throws {
        guard let members = json.objectValue else { throw Self.fault("an object as \(place)", "something else") }
        self.members = members
        self.place = place
    }

    static func fault(_ expected: String, _ found: String) -> StoreError {
        StoreError(.invalidManifest, operation: "read a manifest", expected: expected, found: found)
    }

    func value(_ key: String) throws -> JSONValue {
        guard let value = members[key] else { throw Self.fault("'\(key)' in \(place)", "none") }
        return value
    }

    func string(_ key: String) throws -> String {
        guard let text = try value(key).stringValue else { throw Self.fault("a string as '\(key)'", "something else") }
        return text
    }

    func optionalString(_ key: String) throws -> String? { try value(key) == .null ? nil : string(key) }

    func integer(_ key: String) throws -> Int { try Self.integer(value(key), "'\(key)'") }

    static func integer(_ json: JSONValue, _ what: String) throws -> Int {
        guard let number = json.integerValue, let count = Int(exactly: number) else {
            throw fault("an integer as \(what)", "something else")
        }
        return count
    }

    func array(_ key: String) throws -> [JSONValue] {
        guard let values = try value(key).arrayValue else { throw Self.fault("an array as '\(key)'", "something else") }
        return values
    }

    func refuseOthers(than known: Set<String>) throws {
        if let key = members.keys.filter({ !known.contains($0) }).sorted().first {
            throw Self.fault("no member \(StoreError.quoted(key)) in \(place)", "one")
        }
    }
}
