import Foundation
import Pipeline

/// A file for the user: whole, or not there.
enum OutputFile {
    /// - Throws: `FormatError` with reason `fileUnwritable`.
    static func write(_ text: String, to path: String) throws {
        do {
            var status = stat()
            // A pipe or a terminal cannot be replaced by renaming.
            let isSpecial = stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: isSpecial ? [] : .atomic)
        } catch {
            throw FormatError(
                .fileUnwritable, file: path, "the file cannot be written", found: error.localizedDescription,
                advice: "Check the folder, that there is space, and permission.")
        }
    }
}
