/// Where files named by digest lie. Hashing, compression, verification and locks live above it, once, for every
/// conformer.
protocol BlobStorage: Sendable {
    /// The stored form of a digest; nil if it is not there.
    func open(_ digest: Digest) throws -> (any ReadableFile)?
    /// A new file that nobody sees yet; it vanishes if it is never published.
    func stage() throws -> any StagedFile
    /// Makes staged files durable and visible under their digests, replacing what was there; contents before names,
    /// names before return.
    /// `relied` are digests found earlier whose names must be durable too.
    func publish(_ staged: [(digest: Digest, file: any StagedFile)], relying relied: [Digest]) throws
    /// Every digest present whose hexadecimal form starts with `prefix`, in ascending order.
    func list(prefix: String) throws -> [Digest]
    /// Removes one; no error if it is gone already.
    func remove(_ digest: Digest) throws
}

/// A file on its way into a storage.
protocol StagedFile: WritableFile {
    /// Whether it refers to a base. Such a file never takes the place of one that is there already, which others may
    /// have taken for their base.
    var isDelta: Bool { get set }
    /// The bytes written so far, for checking a file against itself before it is published.
    func reopen() throws -> any ReadableFile
}
