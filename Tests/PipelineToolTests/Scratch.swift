import Foundation
import Store
import Testing

/// A temporary folder with a store in it, removed at the end.
final class Scratch {
    let url: URL
    var store: URL { url.appendingPathComponent("store", isDirectory: true) }

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent(
            "pipeline-\(UUID().uuidString)", isDirectory: true)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// With a store in which the tiny model is `tiny` and its dataset `films`.
    static func prepared() throws -> Scratch {
        let scratch = try Scratch()
        try FileManager.default.copyItem(at: Prepared.shared.get().store, to: scratch.store)
        return scratch
    }

    func write(_ text: String, _ path: String) throws -> String {
        let file = url.appendingPathComponent(path)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        return file.path
    }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    /// Runs a command that must succeed.
    @discardableResult
    func run(_ words: String..., input: String = "", environment: [String: String] = [:]) throws -> Tool.Outcome {
        let outcome = try Tool.run(words, input: input, environment: environment, in: self)
        try #require(
            outcome.status == 0,
            "pipeline \(words.joined(separator: " ")) ended with \(outcome.status): \(outcome.errors)")
        return outcome
    }

    /// Runs a command that must succeed, for its JSON.
    func json(_ words: String..., input: String = "") throws -> JSONValue {
        let outcome = try Tool.run(words + ["--json"], input: input, in: self)
        try #require(
            outcome.status == 0,
            "pipeline \(words.joined(separator: " ")) ended with \(outcome.status): \(outcome.errors)")
        return try outcome.json()
    }

    /// Runs a command that must fail, and checks that it says so as every failure does: nothing on standard output, one
    /// message that is not empty on standard error.
    func failure(_ words: String..., input: String = "") throws -> Tool.Outcome {
        let outcome = try Tool.run(words, input: input, in: self)
        #expect(outcome.status != 0)
        #expect(outcome.output.isEmpty)
        let messages = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("error: ") }
        #expect(messages.count == 1 && messages[0].count > 20, "\(outcome.errors)")
        return outcome
    }
}

/// The store that most tests begin with, made once.
private enum Prepared {
    static let shared = Result {
        let scratch = try Scratch()
        try scratch.run("import", Repository.file("Fixtures/models/tiny-bert").path, "--name", "tiny")
        try scratch.run(
            "prepare", "--task", "classification", "--data", Films.write(to: scratch), "--model", "tiny", "--name",
            "films")
        return scratch
    }
}

extension Scratch: @unchecked Sendable {}

/// Files of the repository.
enum Repository {
    static let root: URL = {
        var url = URL(fileURLWithPath: #filePath)
        repeat {
            url.deleteLastPathComponent()
        } while !FileManager.default.fileExists(atPath: url.appendingPathComponent("Package.swift").path)
        return url
    }()

    static func file(_ path: String) -> URL { root.appendingPathComponent(path) }
}

/// A tiny task of the tiny model's own words: whether a film is found good.
enum Films {
    private static let subjects = ["the film", "this movie", "the story", "that day", "the city"]
    private static let good = ["good", "great", "fun", "best", "light"]
    private static let bad = ["bad", "poor", "dull", "worst", "dark"]

    static func table(_ shift: Int) -> String {
        var text = "text\tlabel\n"
        for (i, subject) in subjects.enumerated() {
            for j in good.indices {
                text += "\(subject) was \(good[(i + j + shift) % 5]) and \(good[j])\tpositive\n"
                text += "\(subject) is \(bad[(i + j + shift) % 5]) and \(bad[j])\tnegative\n"
            }
        }
        return text
    }

    /// A folder with train, dev and unlabelled test files.
    static func write(to scratch: Scratch) throws -> String {
        _ = try scratch.write(table(0), "films/train.tsv")
        _ = try scratch.write(table(2), "films/dev.tsv")
        _ = try scratch.write("text\nthe film was good\nthe story was dull\n", "films/test.tsv")
        return scratch.path("films")
    }
}
