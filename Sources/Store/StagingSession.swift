import Synchronization

/// A folder of a writer's own under `STORE/staging`, with a lock that dies with the writer; the remains of dead
/// writers are swept away.
final class StagingSession: Sendable {
    let folder: String
    private let files: any FileSystem
    private let lock: any FileLock
    private let count = Mutex(0)
    private let holds = Mutex(Holds())

    private struct Holds: Sendable {
        /// How often each artifact is held.
        var counts: [Digest: Int] = [:]
        /// Those held because they were written here and have no name yet.
        var unnamed: Set<Digest> = []
    }

    private static let holdPrefix = "hold-"

    init(staging: String, files: any FileSystem) throws {
        self.files = files
        // A sweeper may take a folder in the instant between its making and its locking; then another one is made.
        for attempt in 1... {
            let folder = "\(staging)/\(String(UInt64.random(in: .min ... .max), radix: 36))"
            try files.makeDirectory(folder)
            do {
                if let lock = try files.lock("\(folder)/lock", exclusive: true, wait: false),
                    try files.status("\(folder)/lock") != nil
                {
                    self.folder = folder
                    self.lock = lock
                    return
                }
            } catch  where attempt < 8 {
                continue
            }
        }
        preconditionFailure("the loop above ends only by returning or throwing")
    }

    deinit {
        for digest in holds.withLock({ $0.counts.keys.sorted() }) { try? files.remove(holdPath(digest)) }
        try? files.remove("\(folder)/lock")
        try? files.remove(folder)
        lock.release()
    }

    /// A name in the folder that nobody else uses.
    func newPath() throws -> String {
        let number = count.withLock { count -> Int in
            count += 1
            return count
        }
        return "\(folder)/\(number)"
    }

    // MARK: Holds

    private func holdPath(_ digest: Digest) -> String { "\(folder)/\(Self.holdPrefix)\(digest.hex)" }

    /// Keeps an artifact from collection until `release`, or until this process ends. The caller holds a collection lease.
    func hold(_ digest: Digest) throws {
        try holds.withLock { holds in
            if holds.counts[digest, default: 0] == 0 { _ = try files.createFile(holdPath(digest)) }
            holds.counts[digest, default: 0] += 1
        }
    }

    func release(_ digest: Digest) {
        holds.withLock { holds in
            guard let count = holds.counts[digest] else { return }
            holds.counts[digest] = count > 1 ? count - 1 : nil
            if count == 1 { try? files.remove(holdPath(digest)) }
        }
    }

    /// Holds an artifact that is about to be written, until it has a name.
    func holdUnnamed(_ digest: Digest) throws {
        try hold(digest)
        if !holds.withLock({ $0.unnamed.insert(digest).inserted }) { release(digest) }
    }

    /// The artifact has a name that keeps it.
    func settle(_ digest: Digest) {
        if holds.withLock({ $0.unnamed.remove(digest) }) != nil { release(digest) }
    }

    /// The artifacts that living writers hold. Call it after `sweep`, with nobody able to begin a hold.
    static func held(staging: String, files: any FileSystem) throws -> Set<Digest> {
        var held: Set<Digest> = []
        for name in try files.list(staging) ?? [] {
            for file in try files.list("\(staging)/\(name)") ?? [] where file.hasPrefix(holdPrefix) {
                if let digest = Digest(hex: file.dropFirst(holdPrefix.count)) { held.insert(digest) }
            }
        }
        return held
    }

    /// Removes the folders whose writers are gone.
    static func sweep(staging: String, files: any FileSystem) throws {
        try PartialFile.sweep("\(staging)/\(PartialFile.folderName)", files: files)
        for name in try files.list(staging) ?? [] where name != PartialFile.folderName {
            let folder = "\(staging)/\(name)"
            guard try files.status(folder)?.kind == .directory else { continue }
            guard let lock = try? files.lock("\(folder)/lock", exclusive: true, wait: false) else { continue }
            for file in try files.list(folder) ?? [] where file != "lock" { try files.remove("\(folder)/\(file)") }
            try files.remove("\(folder)/lock")
            // Fails harmlessly if a writer has just made its lock there anew.
            try? files.remove(folder)
            lock.release()
        }
    }
}
