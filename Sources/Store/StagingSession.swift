import Synchronization

/// A folder of a writer's own under `STORE/staging`, with a lock that dies with the writer; the remains of dead
/// writers are swept away.
final class StagingSession: Sendable {
    let folder: String
    private let files: any FileSystem
    private let lock: any FileLock
    private let count = Mutex(0)

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
