import Foundation

@testable import Pipeline

/// A folder for the files of one test, removed with its last reference.
final class Scratch: Sendable {
    let url: URL

    init() {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("pipeline-\(UUID().uuidString)")
        try! FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// Writes a file, with the folders on the way to it, and says where it is.
    func write(_ name: String, _ bytes: some Sequence<UInt8>) -> URL {
        let file = url.appendingPathComponent(name)
        try! FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try! Data(bytes).write(to: file)
        return file
    }

    func write(_ name: String, _ text: String) -> URL { write(name, text.utf8) }
}

/// Files of the repository.
enum Fixture {
    static let formats: URL = {
        var folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        while !FileManager.default.fileExists(atPath: folder.appendingPathComponent("Fixtures/formats").path) {
            precondition(folder.path != "/", "the repository's folder Fixtures/formats is missing")
            folder.deleteLastPathComponent()
        }
        return folder.appendingPathComponent("Fixtures/formats")
    }()
}

/// The error that `body` throws, or nil when it succeeds.
func refusal(_ body: () throws -> Void) throws -> FormatError? {
    do {
        try body()
        return nil
    } catch let error as FormatError {
        return error
    }
}
