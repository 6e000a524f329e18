import Foundation

#if _endian(big)
    #error("the readers and writers of binary formats assume a little-endian machine")
#endif

/// A file opened for reading, closed with its last reference.
///
/// Reads go through `pread` rather than a mapping: a file that shrinks while it is read then gives an error, not a
/// signal.
final class OpenFile: Sendable {
    let file: String
    /// The size at the time of opening; 0 for anything that is not a regular file.
    let byteCount: Int
    private let descriptor: Int32

    /// - Throws: `fileMissing`, `fileUnreadable`, or `notRegularFile` for a directory (and for a pipe when
    ///   `regular` is set).
    init(_ url: URL, regular: Bool) throws {
        file = url.path
        // A pipe without a writer would block an open for reading for ever.
        descriptor = open(url.path, O_RDONLY | O_CLOEXEC | (regular ? O_NONBLOCK : 0))
        guard descriptor >= 0 else {
            let code = errno
            guard code != ENOENT && code != ENOTDIR else {
                throw FormatError(
                    .fileMissing, file: url.path, "there is no such file", advice: "Check the path and its spelling.")
            }
            throw FormatError(.fileUnreadable, file: url.path, "cannot be opened: \(String(cString: strerror(code)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw FormatError(.fileUnreadable, file: url.path, "cannot be examined: \(String(cString: strerror(code)))")
        }
        let type = status.st_mode & S_IFMT
        guard type == S_IFREG || (!regular && type != S_IFDIR) else {
            close(descriptor)
            throw FormatError(
                .notRegularFile, file: url.path,
                type == S_IFDIR ? "is a folder, and a file is needed" : "is not a regular file")
        }
        byteCount = type == S_IFREG ? Int(status.st_size) : 0
    }

    deinit { close(descriptor) }

    /// Fills `buffer` with the bytes that start at `offset`.
    ///
    /// - Throws: `fileChanged` when the file ends before the buffer is full, `fileUnreadable` for an I/O error.
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if count < 0 && errno == EINTR { continue }
            if count < 0 {
                throw FormatError(
                    .fileUnreadable, file: file, byte: offset + done,
                    "reading failed: \(String(cString: strerror(errno)))")
            }
            if count == 0 {
                throw FormatError(
                    .fileChanged, file: file, byte: offset + done, "the file became shorter while it was being read",
                    advice: "Let whatever is writing the file finish, then try again.")
            }
            done += count
        }
    }

    /// Reads on from the descriptor's own position. Returns 0 at the end.
    func readNext(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let count = Foundation.read(descriptor, buffer.baseAddress!, buffer.count)
            if count >= 0 { return count }
            if errno == EINTR { continue }
            throw FormatError(.fileUnreadable, file: file, "reading failed: \(String(cString: strerror(errno)))")
        }
    }

    /// The whole file, which must be at most `limit` bytes.
    static func contents(of url: URL, limit: Int) throws -> [UInt8] {
        let opened = try OpenFile(url, regular: true)
        guard opened.byteCount <= limit else {
            throw FormatError(
                .fileTooLarge, file: opened.file, "the file is too large for what it should be",
                expected: "at most \(limit) bytes", found: "\(opened.byteCount) bytes")
        }
        guard opened.byteCount > 0 else { return [] }
        return try [UInt8](unsafeUninitializedCapacity: opened.byteCount) { buffer, count in
            try opened.read(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
            count = buffer.count
        }
    }
}
