import Store

/// A place that artifacts can be sent to and taken from.
public protocol Remote: Sendable {
    /// For messages.
    var place: String { get }

    /// Sends an artifact with its closure; its name there moves last.
    ///
    /// - Parameter replace: whether the name may stand for another artifact there before.
    func push(_ shipment: Shipment, replace: Bool, _ context: TransferContext) throws -> TransferReport

    /// Takes an artifact with its closure into a store, which gives it no name yet.
    ///
    /// - Parameters:
    ///   - name: nil where the place holds one artifact, or the address names it.
    ///   - kind: which of several kinds of that name.
    func pull(_ name: String?, kind: String?, into store: Store, lineage: Bool, _ context: TransferContext) throws -> Delivery
}

/// What is sent.
public struct Shipment: Sendable {
    public let store: Store
    public let closure: ArtifactClosure
    /// What it is to be called there.
    public let name: String

    /// - Throws: `StoreError` with code `invalidName`, and those of `Store.closure`.
    public init(_ digest: Digest, of store: Store, lineage: Bool = true, name: String) throws {
        guard ReferenceName.isValid(name: name) else {
            throw StoreError(
                .invalidName, operation: "use a name",
                expected: "at most 128 letters, digits, '.', '_' and '-', first a letter, digit or '_'",
                found: "'\(RemoteError.printable(name, limit: 80))'")
        }
        self.store = store
        closure = try store.closure(of: digest, lineage: lineage)
        self.name = name
    }

    public var digest: Digest { closure.artifacts.last!.digest }
    public var artifact: Artifact { closure.artifacts.last!.artifact }
}

/// What arrived.
public struct Delivery: Sendable {
    public let digest: Digest
    public let artifact: Artifact
    /// What it was called there.
    public let name: String?
    /// Inputs that were not there.
    public let absent: Set<Digest>
    public let report: TransferReport

    init(_ closure: ArtifactClosure, name: String?, report: TransferReport) {
        (digest, artifact) = closure.artifacts.last!
        (self.name, absent, self.report) = (name, closure.absent, report)
    }
}
