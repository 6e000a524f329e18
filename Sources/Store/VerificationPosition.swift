/// How far a verification in portions is: `STORE/verification.json`. It only says where to go on; one that is missing,
/// damaged or of another version begins a new round.
struct VerificationPosition: Hashable, Sendable {
    /// The last blob that was read; nil at the beginning of a round.
    var last: Digest?
    /// Blobs found damaged in this round.
    var damaged: Set<Digest> = []
    /// Bytes of files read in this round.
    var byteCount = 0

    init() {}

    private var json: JSONValue {
        [
            "bytes": .integer(Int64(byteCount)), "damaged": .array(damaged.sorted().map { .string($0.description) }),
            "last": last.map { .string($0.description) } ?? .null, "version": 1,
        ]
    }

    func fileContents() throws -> [UInt8] {
        guard var members = json.objectValue else { preconditionFailure("a position is an object") }
        members["checksum"] = .string(Digest(of: try json.canonicalBytes()).description)
        return try JSONValue.object(members).canonicalBytes() + [0x0a]
    }

    init?(contents: [UInt8]) {
        guard let json = try? JSONValue(parsing: contents), let damaged = json["damaged"]?.arrayValue,
            let count = json["bytes"]?.integerValue, count >= 0
        else { return nil }
        last = json["last"]?.stringValue.flatMap { Digest($0) }
        self.damaged = Set(damaged.compactMap { $0.stringValue.flatMap { Digest($0) } })
        byteCount = Int(count)
        guard (try? fileContents()) == contents else { return nil }
    }
}

extension Store {
    func verificationPosition() -> VerificationPosition {
        let contents = (try? files.contents(of: layout.verification, limit: 64 << 20)) ?? nil
        return contents.flatMap { VerificationPosition(contents: $0) } ?? VerificationPosition()
    }

    /// nil ends the round.
    func setVerificationPosition(_ position: VerificationPosition?) throws {
        guard let position else { return try files.remove(layout.verification) }
        let path = try writingSession().newPath()
        do {
            try files.write(try position.fileContents(), toNew: path)
            try files.rename(path, to: layout.verification)
        } catch {
            try? files.remove(path)
            throw error
        }
    }
}
