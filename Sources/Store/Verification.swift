/// What a verification found.
public struct VerificationReport: Hashable, Sendable {
    public struct Problem: Hashable, Sendable {
        /// The file, relative to the store.
        public let path: String
        /// What is wrong with it.
        public let reason: String
        /// The artifacts that cannot be read whole because of it.
        public internal(set) var artifacts: [Digest] = []
        /// `kind/name` of the references to those artifacts, or of the damaged reference itself.
        public internal(set) var references: [String] = []
        /// Artifacts, runs among them, that were made from those; they are whole themselves.
        public internal(set) var dependents: [Digest] = []
        /// The runs among those artifacts and dependents.
        public internal(set) var runs: [Digest] = []

        init(path: String, reason: String) {
            self.path = path
            self.reason = reason
        }
    }

    public internal(set) var problems: [Problem] = []
    /// Things that are odd but do no harm, such as files that do not belong here.
    public internal(set) var notes: [String] = []
    public internal(set) var blobCount = 0
    /// Blobs whose files were read.
    public internal(set) var checkedBlobCount = 0
    public internal(set) var artifactCount = 0
    public internal(set) var referenceCount = 0
    /// Bytes of files that were read.
    public internal(set) var byteCount = 0
    /// Bytes of all files of blobs and manifests.
    public internal(set) var totalByteCount = 0
    /// Whether every blob was read, in this portion or in earlier ones of the round.
    public internal(set) var isComplete = true

    public var isClean: Bool { problems.isEmpty }
}

/// How far a verification is.
public struct VerificationProgress: Sendable {
    public let checkedBytes: Int
    public let totalBytes: Int
}
