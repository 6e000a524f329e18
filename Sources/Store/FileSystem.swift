/// The file operations the store is made of: one small layer, so that tests can make any of them fail, or stop the
/// world at it.
///
/// Paths are absolute. Every failure is a `StoreError` with the path and the system's own words.
protocol FileSystem: Sendable {
    /// Makes a folder; no error if it is there already.
    func makeDirectory(_ path: String) throws
    /// A new empty file, open for writing; an error if the name is taken.
    func createFile(_ path: String) throws -> any WritableFile
    /// A regular file open for reading; nil if there is none. A symbolic link is refused.
    func openFile(_ path: String) throws -> (any ReadableFile)?
    /// What a name stands for; nil if there is nothing. Links are not followed.
    func status(_ path: String) throws -> FileStatus?
    /// The names in a folder, in no particular order; nil if there is no such folder.
    func list(_ path: String) throws -> [String]?
    /// Gives a file a new name in one step, replacing what had it.
    func rename(_ from: String, to: String) throws
    /// Gives a file a new name in one step, unless something has it: then it keeps its own and the answer is false.
    func renameToNew(_ from: String, _ to: String) throws -> Bool
    /// Removes a file, or an empty folder; no error if it is gone already.
    func remove(_ path: String) throws
    /// Makes the names in a folder durable.
    func syncDirectory(_ path: String) throws
    /// An advisory lock which ends with its holder's life; nil if it is held by somebody and `wait` is false. The file may be removed by
    /// who holds it exclusively: the next one makes it anew.
    func lock(_ path: String, exclusive: Bool, wait: Bool) throws -> (any FileLock)?
}

/// A file being written, closed with its last reference.
protocol WritableFile: AnyObject, Sendable {
    /// Writes all of `bytes` at `offset`.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws
    /// Makes the content durable.
    func sync() throws
}

/// A file open for reading, closed with its last reference.
protocol ReadableFile: AnyObject, Sendable {
    var byteCount: Int { get }
    /// Fills `bytes` from `offset`; `StoreError` with code `damaged` if the file ends before.
    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws
}

/// Held until `release()` or the last reference goes.
protocol FileLock: AnyObject, Sendable {
    func release()
}

struct FileStatus: Sendable, Equatable {
    enum Kind: Sendable { case file, directory, other }
    var kind: Kind
    var byteCount: Int
    /// When the content was last written, in nanoseconds since 1970.
    var modified: Int64
    /// When anything about it changed; no program can set it back.
    var changed: Int64
}

extension FileSystem {
    /// All of a small file; nil if there is none.
    func contents(of path: String, limit: Int) throws -> [UInt8]? {
        guard let file = try openFile(path) else { return nil }
        guard file.byteCount <= limit else {
            throw StoreError(
                .damaged, operation: "read a file", path: path, expected: "at most \(limit) bytes",
                found: "\(file.byteCount)")
        }
        var bytes = [UInt8](repeating: 0, count: file.byteCount)
        try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        return bytes
    }

    /// Writes a small file under a temporary name and makes its content durable; the caller renames it.
    func write(_ bytes: [UInt8], toNew path: String) throws {
        let file = try createFile(path)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        try file.sync()
    }
}
