import Foundation

/// Standard output, where results go. Every byte is written or an error says why not.
enum StandardOutput {
    struct Failure: Error, CustomStringConvertible {
        let code: Int32
        var description: String { "standard output cannot be written: \(String(cString: strerror(code)))" }
    }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    static func write(_ text: String) throws {
        var text = text
        try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
    }

    static func write(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(STDOUT_FILENO, bytes.baseAddress! + done, bytes.count - done)
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure(code: errno)
            }
            done += count
        }
    }
}

/// Standard error, where progress and failures go. Nobody listening is no failure.
enum StandardError {
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    static func write(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var done = 0
            while done < bytes.count {
                let count = Glibc.write(STDERR_FILENO, bytes.baseAddress! + done, bytes.count - done)
                if count < 0, errno != EINTR { return }
                done += max(0, count)
            }
        }
    }
}
