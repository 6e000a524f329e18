/// What a repair did, or would do.
public struct RepairReport: Hashable, Sendable {
    public enum Outcome: Hashable, Sendable {
        /// Its bytes were found there; they are in place again unless it was only looked.
        case mended(from: String)
        /// Nothing that can be read names it; the next collection removes it.
        case unneeded
        case lost
    }

    public struct Item: Hashable, Sendable {
        /// The file, relative to the store.
        public let path: String
        public let outcome: Outcome
    }

    /// A stage that makes an artifact again whose bytes were not found. Running it writes the same artifact, for equal work has an equal
    /// digest.
    public struct Remake: Hashable, Sendable {
        public let digest: Digest
        public let kind: String
        /// `kind/name` of the references to it.
        public let names: [String]
        public let provenance: Provenance
        /// Inputs that are damaged or gone themselves.
        public let missingInputs: [Digest]
    }

    public internal(set) var items: [Item] = []
    /// Artifacts that are still not whole, in an order to make them in: those with whole inputs first.
    public internal(set) var remakes: [Remake] = []
    /// Damaged manifests that were not found: what they were cannot be told.
    public internal(set) var unknown: [Digest] = []
    /// `stage/key` of remembered stages that were forgotten, so that they are run again instead of giving back what is damaged.
    public internal(set) var forgotten: [String] = []

    public func count(_ outcome: (Outcome) -> Bool) -> Int { items.reduce(0) { $0 + (outcome($1.outcome) ? 1 : 0) } }
    public var mendedCount: Int { count { if case .mended = $0 { true } else { false } } }
    public var lostCount: Int { count { $0 == .lost } }
}
