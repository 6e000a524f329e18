#if canImport(Glibc)
    import Glibc
#endif

/// The operating system's files.
struct LocalFileSystem: FileSystem {
    func makeDirectory(_ path: String) throws {
        guard mkdir(path, 0o777) != 0 else { return }
        let code = errno
        if code == EEXIST, try status(path)?.kind != .file { return }
        throw StoreError.system(code, "make a folder", path)
    }

    func createFile(_ path: String) throws -> any WritableFile {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o666)
        guard descriptor >= 0 else { throw StoreError.system(errno, "create a file", path) }
        return OpenFile(descriptor: descriptor, path: path, byteCount: 0)
    }

    func openFile(_ path: String) throws -> (any ReadableFile)? {
        // Without O_NONBLOCK a named pipe put in a blob's place would hang the reader.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            if code == ENOENT { return nil }
            if code == ELOOP {
                throw StoreError(
                    .damaged, operation: "open a file", path: path, expected: "a regular file",
                    found: "a symbolic link")
            }
            throw StoreError.system(code, "open a file", path)
        }
        var record = stat()
        guard fstat(descriptor, &record) == 0, record.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw StoreError(
                .damaged, operation: "open a file", path: path, expected: "a regular file", found: "something else")
        }
        return OpenFile(descriptor: descriptor, path: path, byteCount: Int(record.st_size))
    }

    func status(_ path: String) throws -> FileStatus? {
        var record = stat()
        guard lstat(path, &record) == 0 else {
            let code = errno
            if code == ENOENT || code == ENOTDIR { return nil }
            throw StoreError.system(code, "look at a file", path)
        }
        let kind: FileStatus.Kind
        switch record.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFDIR: kind = .directory
        default: kind = .other
        }
        func nanoseconds(_ time: timespec) -> Int64 { Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec) }
        return FileStatus(
            kind: kind, byteCount: Int(record.st_size), modified: nanoseconds(record.st_mtim),
            changed: nanoseconds(record.st_ctim))
    }

    func list(_ path: String) throws -> [String]? {
        guard let directory = opendir(path) else {
            let code = errno
            if code == ENOENT || code == ENOTDIR { return nil }
            throw StoreError.system(code, "list a folder", path)
        }
        defer { closedir(directory) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(directory) {
            // The record is shorter than the type when the name is, so only its start may be touched.
            let start = UnsafeRawPointer(entry) + MemoryLayout<dirent>.offset(of: \dirent.d_name)!
            let name = String(cString: start.assumingMemoryBound(to: CChar.self))
            if name != "." && name != ".." { names.append(name) }
            errno = 0
        }
        let code = errno
        guard code == 0 else { throw StoreError.system(code, "list a folder", path) }
        return names
    }

    func rename(_ from: String, to: String) throws {
        guard Glibc.rename(from, to) == 0 else { throw StoreError.system(errno, "rename a file", to) }
    }

    func renameToNew(_ from: String, _ to: String) throws -> Bool {
        if link(from, to) == 0 {
            try remove(from)
            return true
        }
        let code = errno
        switch code {
        case EEXIST: return false
        case EPERM, ENOTSUP, EMLINK:
            // A file system without hard links: a look and then the renaming come as near as can be.
            if try status(to) != nil { return false }
            try rename(from, to: to)
            return true
        default: throw StoreError.system(code, "rename a file", to)
        }
    }

    func remove(_ path: String) throws {
        guard Glibc.remove(path) != 0 else { return }
        let code = errno
        if code != ENOENT { throw StoreError.system(code, "remove a file", path) }
    }

    func syncDirectory(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StoreError.system(errno, "open a folder", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw StoreError.system(errno, "sync a folder", path) }
    }

    func lock(_ path: String, exclusive: Bool, wait: Bool) throws -> (any FileLock)? {
        let operation = (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)
        // The file may be removed by its former holder between the opening and the locking: then it is nobody's lock.
        while true {
            let descriptor = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
            guard descriptor >= 0 else { throw StoreError.system(errno, "open a lock", path) }
            while flock(descriptor, operation) != 0 {
                let code = errno
                if code == EINTR { continue }
                close(descriptor)
                if code == EWOULDBLOCK { return nil }
                throw StoreError.system(code, "take a lock", path)
            }
            var ours = stat(), named = stat()
            if fstat(descriptor, &ours) == 0, lstat(path, &named) == 0, ours.st_ino == named.st_ino, ours.st_dev == named.st_dev {
                return HeldLock(descriptor: descriptor)
            }
            close(descriptor)
        }
    }
}

/// One open descriptor; serves for reading and for writing.
private final class OpenFile: WritableFile, ReadableFile {
    private let descriptor: Int32
    private let path: String
    let byteCount: Int

    init(descriptor: Int32, path: String, byteCount: Int) {
        self.descriptor = descriptor
        self.path = path
        self.byteCount = byteCount
    }

    deinit { close(descriptor) }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw StoreError.system(errno, "write a file", path)
            }
            done += count
        }
    }

    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < bytes.count {
            let count = pread(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw StoreError.system(errno, "read a file", path)
            }
            guard count > 0 else {
                throw StoreError(
                    .damaged, operation: "read a file", path: path, expected: "\(offset + bytes.count) bytes",
                    found: "\(offset + done)")
            }
            done += count
        }
    }

    func sync() throws {
        guard fsync(descriptor) == 0 else { throw StoreError.system(errno, "sync a file", path) }
    }
}

private final class HeldLock: FileLock, @unchecked Sendable {
    private let descriptor: Int32
    private var isHeld = true

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { release() }

    // The kernel drops the lock with the last descriptor, also when the process is killed.
    func release() {
        guard isHeld else { return }
        isHeld = false
        close(descriptor)
    }
}

extension StoreError {
    /// A failed system call with what to do about it.
    static func system(_ code: Int32, _ operation: String, _ path: String) -> StoreError {
        let text = String(cString: strerror(code))
        switch code {
        case ENOSPC, EDQUOT:
            return StoreError(
                .diskFull, operation: operation, path: path, found: text,
                advice: "make space and run the command again; nothing that was saved is lost")
        case EROFS, EACCES, EPERM:
            return StoreError(
                .inputOutput, operation: operation, path: path, found: text,
                advice: "check the permissions, or use another store")
        case EIO:
            return StoreError(
                .inputOutput, operation: operation, path: path, found: text, advice: "the disk may be failing")
        default:
            return StoreError(.inputOutput, operation: operation, path: path, found: text)
        }
    }
}
