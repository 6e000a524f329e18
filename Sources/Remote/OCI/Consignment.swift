import Store

/// An artifact with its closure, laid out for a registry or a bundle.
///
/// Equal artifacts of equal name, encoded alike, make equal bytes.
struct Consignment {
    enum Content {
        case bytes([UInt8])
        /// A blob of the store by the digest of its plain bytes.
        case blob(Digest)
    }

    let manifest: [UInt8]
    let manifestDigest: Digest
    /// Everything the manifest names, each once: configuration, store manifests, blobs.
    let parts: [(descriptor: OCIDescriptor, content: Content)]

    var byteCount: Int { parts.reduce(manifest.count) { $0 + $1.descriptor.size } }

    /// Reads every blob once, for its digest; damage does not travel.
    ///
    /// - Throws: `StoreError`; `RemoteError` when the manifest would be larger than registries take; `TransferInterrupted`.
    init(_ shipment: Shipment, isCancelled: () -> Bool) throws {
        let store = shipment.store
        guard let (rootDigest, root) = shipment.closure.artifacts.last else { preconditionFailure("a closure has its root") }
        var layers: [OCIDescriptor] = [], contents: [Content] = [], plain: [Digest] = []
        for (digest, artifact) in shipment.closure.artifacts.reversed() {
            let bytes = try artifact.manifest()
            layers.append(OCIDescriptor(MediaType.storeManifest, digest, size: bytes.count))
            contents.append(.bytes(bytes))
            plain.append(digest)
        }
        var seen: Set<Digest> = []
        for (_, artifact) in shipment.closure.artifacts {
            for blob in artifact.blobs where seen.insert(blob.digest).inserted {
                if isCancelled() { throw TransferInterrupted() }
                let encoded = try store.encodedBlob(blob.digest)
                layers.append(
                    OCIDescriptor(
                        MediaType.blob, try encoded.encodedDigest(), size: encoded.byteCount,
                        annotations: [
                            Annotation.plainDigest: blob.digest.description,
                            Annotation.plainSize: String(blob.blobByteCount),
                        ]))
                contents.append(.blob(blob.digest))
                plain.append(blob.digest)
            }
        }
        let isModel = root.kind == "model"
        let configuration = isModel ? try Self.modelConfiguration(shipment.name, root, plain) : Array("{}".utf8)
        let configurationDescriptor = OCIDescriptor(
            isModel ? MediaType.modelConfiguration : MediaType.empty, Digest(of: configuration), size: configuration.count)
        var annotations = [
            Annotation.title: shipment.name, Annotation.artifact: rootDigest.description, Annotation.kind: root.kind,
            Annotation.name: shipment.name,
        ]
        if let license = root.provenance.license { annotations[Annotation.licenses] = license }
        manifest = try OCIManifest(
            artifactType: isModel ? MediaType.model : MediaType.artifact, configuration: configurationDescriptor,
            layers: layers, annotations: annotations
        ).bytes()
        manifestDigest = Digest(of: manifest)
        guard manifest.count <= OCIManifest.largest else {
            throw RemoteError(
                .unexpectedAnswer, operation: "list the parts of '\(shipment.name)'",
                expected: "a manifest of at most \(OCIManifest.largest) bytes", found: "\(manifest.count)",
                advice: "send it with --no-lineage, or to a folder")
        }
        var unique: Set<Digest> = []
        parts = ([(configurationDescriptor, .bytes(configuration))] + zip(layers, contents).map { ($0, $1) })
            .filter { unique.insert($0.0.digest).inserted }
    }

    /// The CNCF model specification's configuration, with what is known of every model here.
    private static func modelConfiguration(_ name: String, _ artifact: Artifact, _ plain: [Digest]) throws -> [UInt8] {
        var descriptor: [String: JSONValue] = ["name": .string(name)]
        if let license = artifact.provenance.license { descriptor["licenses"] = [.string(license)] }
        let source = artifact.provenance.source
        if let revision = source["revision"]?.stringValue { descriptor["revision"] = .string(revision) }
        if let url = source["url"]?.stringValue { descriptor["sourceURL"] = .string(url) }
        let tensors = artifact.blobs.filter { $0.shape != nil }
        let count = tensors.reduce(0.0) { $0 + Double($1.byteCount / (ElementType(rawValue: $1.elementType ?? "")?.byteCount ?? 1)) }
        var facts: [String: JSONValue] = ["format": "pipeline", "paramSize": .string(parameterSize(count))]
        let types = Set(tensors.compactMap(\.elementType))
        if types.count == 1 { facts["precision"] = .string(types.first!) }
        let json: JSONValue = [
            "descriptor": .object(descriptor), "config": .object(facts),
            "modelfs": ["type": "layers", "diffIds": .array(plain.map { .string($0.description) })],
        ]
        return try json.canonicalBytes()
    }

    /// A count as the specification writes it: `22.7m`.
    private static func parameterSize(_ count: Double) -> String {
        let (unit, letter) = [(1e9, "b"), (1e6, "m")].first { count >= $0.0 } ?? (1e3, "k")
        let tenths = (count / unit * 10).rounded()
        return "\(Int(tenths) / 10).\(Int(tenths) % 10)\(letter)"
    }
}
