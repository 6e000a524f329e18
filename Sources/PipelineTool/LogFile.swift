import Foundation
import Pipeline
import Synchronization

/// A copy of a run's log outside the store, written line by line while it grows.
///
/// At the end it is byte for byte the log in the store, also of a run that went on or was found.
final class LogFile: Sendable {
    private struct State {
        var isBegun = false
        var error: Int32?
    }

    private let path: String
    private let descriptor: Int32
    private let state = Mutex(State())

    /// Opens the file; what it held is kept until there is a first line.
    ///
    /// - Throws: `FormatError` with reason `fileUnwritable`.
    init(_ path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Self.failure(path, errno) }
    }

    deinit { _ = Glibc.close(descriptor) }

    /// Writes at once. A failure does not stop the run; `close` tells it.
    func append(_ lines: [String]) {
        state.withLock { state in
            guard state.error == nil else { return }
            // A pipe or a terminal cannot be shortened, and need not be.
            if !state.isBegun, ftruncate(descriptor, 0) != 0, errno != EINVAL { state.error = errno }
            state.isBegun = true
            var text = lines.map { $0 + "\n" }.joined()
            text.withUTF8 { bytes in
                var done = 0
                while done < bytes.count {
                    let count = write(descriptor, bytes.baseAddress! + done, bytes.count - done)
                    if count < 0, errno == EINTR { continue }
                    if count < 0 {
                        state.error = errno
                        return
                    }
                    done += count
                }
            }
        }
    }

    /// - Throws: `FormatError` with reason `fileUnwritable` when a line was lost.
    func close() throws {
        if let code = state.withLock({ $0.error }) { throw Self.failure(path, code) }
    }

    private static func failure(_ path: String, _ code: Int32) -> FormatError {
        FormatError(
            .fileUnwritable, file: path, "the log cannot be written", found: String(cString: strerror(code)),
            advice: "Check that there is space and permission; the run's own log is in the store.")
    }
}
