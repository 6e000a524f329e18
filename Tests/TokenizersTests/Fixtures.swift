import Foundation

@testable import Tokenizers

/// Files beside the package's manifest, found from this file's place.
enum Fixtures {
    static let folder: URL = {
        var folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        while !FileManager.default.fileExists(atPath: folder.appendingPathComponent("Fixtures/tokenizers").path) {
            precondition(folder.path != "/", "no Fixtures/tokenizers above \(#filePath)")
            folder.deleteLastPathComponent()
        }
        return folder.appendingPathComponent("Fixtures/tokenizers")
    }()

    static func data(_ path: String) throws -> Data { try Data(contentsOf: folder.appendingPathComponent(path)) }

    static var bert: [String: Data] {
        get throws { ["vocab.txt": try data("small-bert/vocab.txt")] }
    }

    static var roberta: [String: Data] {
        get throws {
            [
                "vocab.json": try data("small-roberta/vocab.json"),
                "merges.txt": try data("small-roberta/merges.txt"),
            ]
        }
    }

    static func document(_ family: String) throws -> [String: Data] {
        ["tokenizer.json": try data("\(family)/added-tokens.json")]
    }

    /// The tokenizers that the golden ids were made with, by the names they have there.
    static func tokenizer(_ name: String) throws -> any Tokenizer {
        let (files, cased): ([String: Data], Bool?) =
            switch name {
            case "small-bert uncased": (try bert, false)
            case "small-bert cased": (try bert, true)
            case "small-roberta": (try roberta, nil)
            case "small-bert added": (try document("small-bert"), nil)
            case "small-roberta added": (try document("small-roberta"), nil)
            default: preconditionFailure("no tokenizer \(name)")
            }
        return try TokenizerLoader.load(files: files, modelType: nil, cased: cased).0
    }
}

/// CRC-32 as in zlib.
func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var state = CRC32()
    for byte in bytes { state.add(byte) }
    return state.value
}

struct CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }
    private var state: UInt32 = .max
    var value: UInt32 { ~state }

    mutating func add(_ byte: UInt8) { state = Self.table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8 }
}

extension Tokenizer {
    /// `type type … start-end start-end …` as the golden file checks it.
    func places(of encoding: Encoding) -> UInt32 {
        let types = encoding.typeIDs.map(String.init).joined()
        return checksum((types + encoding.offsets.map { " \($0.lowerBound)-\($0.upperBound)" }.joined()).utf8)
    }
}
