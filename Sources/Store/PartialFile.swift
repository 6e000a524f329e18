import Foundation
import Synchronization

/// A file that is arriving from elsewhere and keeps what has arrived: `STORE/staging/partial/<key>`.
///
/// One process at a time fills it. What a transfer that was cut left there is the next one's beginning.
public final class PartialFile: Sendable {
    /// Bytes that have arrived.
    public var byteCount: Int { count.withLock { $0 } }
    private let count: Mutex<Int>
    let path: String
    private let descriptor: Int32
    private let files: any FileSystem
    private let isKept: Bool

    /// - Parameters:
    ///   - path: made if it is not there; its folder exists.
    ///   - isKept: whether what has arrived stays when the object goes.
    /// - Returns: nil if another process is filling the file.
    init?(path: String, files: any FileSystem, isKept: Bool) throws {
        // The file may be taken away by its former holder between the opening and the locking.
        while true {
            let descriptor = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
            guard descriptor >= 0 else { throw StoreError.system(errno, "create a file", path) }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                close(descriptor)
                return nil
            }
            var ours = stat(), named = stat()
            if fstat(descriptor, &ours) == 0, lstat(path, &named) == 0, ours.st_ino == named.st_ino, ours.st_dev == named.st_dev,
                ours.st_mode & S_IFMT == S_IFREG
            {
                (self.path, self.descriptor, self.files, self.isKept) = (path, descriptor, files, isKept)
                count = Mutex(Int(ours.st_size))
                return
            }
            close(descriptor)
        }
    }

    deinit {
        if !isKept { try? files.remove(path) }
        close(descriptor)
    }

    /// Adds bytes at the end.
    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        try count.withLock { count in
            var done = 0
            while done < bytes.count {
                let written = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(count))
                if written < 0 {
                    if errno == EINTR { continue }
                    throw StoreError.system(errno, "write a file", path)
                }
                done += written
                count += written
            }
        }
    }

    /// Forgets what has arrived.
    public func restart() throws {
        try count.withLock { count in
            guard ftruncate(descriptor, 0) == 0 else { throw StoreError.system(errno, "shorten a file", path) }
            count = 0
        }
    }

    /// A file outside a store, which stays when the object goes.
    ///
    /// - Throws: `StoreError` with code `busy` if another process is filling it.
    public static func open(_ url: URL) throws -> PartialFile {
        let path = url.path(percentEncoded: false)
        guard let file = try PartialFile(path: path, files: LocalFileSystem(), isKept: true) else {
            throw StoreError(
                .busy, operation: "fill a file", path: path, expected: "to be alone", found: "another process at it",
                advice: "wait until that is done")
        }
        return file
    }

    /// Makes what has arrived durable.
    public func sync() throws {
        guard fsync(descriptor) == 0 else { throw StoreError.system(errno, "sync a file", path) }
    }

    // MARK: Those of interrupted transfers

    static let folderName = "partial"
    /// Seconds after which the remains of an interrupted transfer are swept away.
    static let lifetime = 7 * 86_400.0

    /// Removes files that nobody has touched for `lifetime` and nobody is filling.
    static func sweep(_ folder: String, files: any FileSystem, now: Date = Date()) throws {
        for name in try files.list(folder) ?? [] {
            let path = "\(folder)/\(name)"
            guard let status = try files.status(path), status.kind == .file,
                Double(status.modified) / 1e9 < now.timeIntervalSince1970 - lifetime,
                let lock = try? files.lock(path, exclusive: true, wait: false)
            else { continue }
            try? files.remove(path)
            lock.release()
        }
    }
}
