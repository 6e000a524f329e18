/// The media types and annotation keys of artifacts in registries and bundles.
enum MediaType {
    static let manifest = "application/vnd.oci.image.manifest.v1+json"
    static let index = "application/vnd.oci.image.index.v1+json"
    /// The CNCF model specification's, for artifacts of kind `model`.
    static let model = "application/vnd.cncf.model.manifest.v1+json"
    static let modelConfiguration = "application/vnd.cncf.model.config.v1+json"
    /// For every other kind.
    static let artifact = "application/vnd.pipeline.artifact.v1+json"
    /// OCI's empty configuration.
    static let empty = "application/vnd.oci.empty.v1+json"
    /// A layer that is a store's manifest.
    static let storeManifest = "application/vnd.pipeline.manifest.v1+json"
    /// A layer that is a store's blob file.
    static let blob = "application/vnd.pipeline.blob.v1"
}

enum Annotation {
    static let title = "org.opencontainers.image.title"
    static let licenses = "org.opencontainers.image.licenses"
    static let referenceName = "org.opencontainers.image.ref.name"
    /// The digest, kind and name of the artifact that was sent.
    static let artifact = "pipeline.artifact"
    static let kind = "pipeline.kind"
    static let name = "pipeline.name"
    /// Of a blob's plain bytes.
    static let plainDigest = "pipeline.plain.digest"
    static let plainSize = "pipeline.plain.size"
}
