import Dispatch
import Synchronization

/// Files in two levels of folders: `ROOT/ab/cdef…`.
final class LocalBlobStorage: BlobStorage {
    let root: String
    private let files: any FileSystem
    private let session: StagingSession?

    /// `session` is where new files grow; without one the storage only reads.
    init(root: String, files: any FileSystem, session: StagingSession?) {
        self.root = root
        self.files = files
        self.session = session
    }

    func path(of digest: Digest) -> String {
        let hex = digest.hex
        return "\(root)/\(hex.prefix(2))/\(hex.dropFirst(2))"
    }

    private func folder(of digest: Digest) -> String { "\(root)/\(digest.hex.prefix(2))" }

    func open(_ digest: Digest) throws -> (any ReadableFile)? { try files.openFile(path(of: digest)) }

    func stage() throws -> any StagedFile {
        guard let session else { throw StoreError(.readOnly, operation: "write to a read-only store", path: root) }
        let path = try session.newPath()
        return LocalStagedFile(path: path, file: try files.createFile(path), files: files)
    }

    func publish(_ staged: [(digest: Digest, file: any StagedFile)], relying relied: [Digest]) throws {
        try Self.syncAll(staged.map(\.file))
        var folders = Set(relied.map { folder(of: $0) })
        var madeFolder = false
        for (digest, file) in staged {
            guard let file = file as? LocalStagedFile else { preconditionFailure("a file staged by another storage") }
            let folder = folder(of: digest)
            if folders.insert(folder).inserted, try files.status(folder) == nil {
                try files.makeDirectory(folder)
                madeFolder = true
            }
            if file.isDelta {
                // One that somebody else has published meanwhile stays, and this one goes with its last reference.
                file.isPublished = try files.renameToNew(file.path, path(of: digest))
            } else {
                try files.rename(file.path, to: path(of: digest))
                file.isPublished = true
            }
        }
        for folder in folders.sorted() { try files.syncDirectory(folder) }
        if madeFolder { try files.syncDirectory(root) }
    }

    /// Makes a staged file durable and closes it, so that any number of them can wait to be published.
    func settle(_ staged: any StagedFile) throws {
        guard let staged = staged as? LocalStagedFile else { preconditionFailure("a file staged by another storage") }
        try staged.settle()
    }

    /// Makes a finished and synced file of the same disk visible under its digest.
    func adopt(_ file: String, as digest: Digest) throws {
        let folder = folder(of: digest)
        if try files.status(folder) == nil {
            try files.makeDirectory(folder)
            try files.syncDirectory(root)
        }
        try files.rename(file, to: path(of: digest))
        try files.syncDirectory(folder)
    }

    // Several syncs at once let the file system put them into one commit of its journal.
    private static func syncAll(_ staged: [any StagedFile]) throws {
        if staged.count == 1 { return try staged[0].sync() }
        let failure = Mutex<(any Error)?>(nil)
        DispatchQueue.concurrentPerform(iterations: staged.count) { index in
            guard failure.withLock({ $0 == nil }) else { return }
            do { try staged[index].sync() } catch { failure.withLock { $0 = $0 ?? error } }
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }

    func list(prefix: String) throws -> [Digest] {
        let folders = try files.list(root) ?? []
        var digests: [Digest] = []
        for folder in folders where folder.hasPrefix(prefix.prefix(2)) {
            for name in try files.list("\(root)/\(folder)") ?? [] {
                if let digest = Digest(hex: folder + name), digest.hex.hasPrefix(prefix) { digests.append(digest) }
            }
        }
        return digests.sorted()
    }

    func remove(_ digest: Digest) throws { try files.remove(path(of: digest)) }
}

private final class LocalStagedFile: StagedFile, @unchecked Sendable {
    let path: String
    /// nil once it is durable and closed.
    private var file: (any WritableFile)?
    private let files: any FileSystem
    var isPublished = false
    var isDelta = false

    init(path: String, file: any WritableFile, files: any FileSystem) {
        self.path = path
        self.file = file
        self.files = files
    }

    deinit { if !isPublished { try? files.remove(path) } }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        guard let file else { preconditionFailure("a closed file") }
        try file.write(bytes, at: offset)
    }

    func sync() throws { try file?.sync() }

    func settle() throws {
        try sync()
        file = nil
    }

    func reopen() throws -> any ReadableFile {
        guard let file = try files.openFile(path) else {
            throw StoreError(.damaged, operation: "read back a new file", path: path, found: "nothing")
        }
        return file
    }
}
