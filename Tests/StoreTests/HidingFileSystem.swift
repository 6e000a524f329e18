import Synchronization

@testable import Store

/// Passes everything on, but says once that a file is not there: as if it had been removed and written again in between.
final class HidingFileSystem: FileSystem {
    private let base: any FileSystem
    private let hidden = Mutex<String?>(nil)

    init(_ base: any FileSystem) { self.base = base }

    /// The next time that this path is opened there is nothing.
    func hideOnce(_ path: String) { hidden.withLock { $0 = path } }

    func openFile(_ path: String) throws -> (any ReadableFile)? {
        let isHidden = hidden.withLock { hidden in
            guard hidden == path else { return false }
            hidden = nil
            return true
        }
        return isHidden ? nil : try base.openFile(path)
    }

    func makeDirectory(_ path: String) throws { try base.makeDirectory(path) }
    func createFile(_ path: String) throws -> any WritableFile { try base.createFile(path) }
    func status(_ path: String) throws -> FileStatus? { try base.status(path) }
    func list(_ path: String) throws -> [String]? { try base.list(path) }
    func rename(_ from: String, to: String) throws { try base.rename(from, to: to) }
    func renameToNew(_ from: String, _ to: String) throws -> Bool { try base.renameToNew(from, to) }
    func remove(_ path: String) throws { try base.remove(path) }
    func syncDirectory(_ path: String) throws { try base.syncDirectory(path) }
    func lock(_ path: String, exclusive: Bool, wait: Bool) throws -> (any FileLock)? {
        try base.lock(path, exclusive: exclusive, wait: wait)
    }
}
