import Foundation
import JSON

/// The vocabulary files of older folders: vocab.txt, vocab.json, merges.txt.
enum VocabularyFiles {
    /// One token a line; the line is the id. As in the reference, white space at the end of a line is not the token's.
    static func lines(_ data: Data, file: String) throws -> [TokenizerDraft.Token] {
        let tables = UnicodeTables.shared
        return try rows(data, file: file, operation: "reading the vocabulary").enumerated().map { index, row in
            var end = row.count
            row.withUnsafeBufferPointer { bytes in
                while end > 0 {
                    let (code, length) = UTF8Text.decode(bytes.baseAddress!, endingAt: end)
                    guard tables[code].contains(.space) else { break }
                    end -= length
                }
            }
            return TokenizerDraft.Token(bytes: Array(row[..<end]), line: index + 1)
        }
    }

    /// An object of tokens and ids, which must be 0, 1, 2 and so on in any order.
    static func tokens(_ node: JSONNode, file: String) throws -> [TokenizerDraft.Token] {
        func fail(_ reason: TokenizerError.Reason, _ line: Int, _ expected: String, _ found: String) -> TokenizerError {
            TokenizerError(reason, "reading the vocabulary", file: file, line: line, expected: expected, found: found)
        }
        guard let members = node.members else {
            throw fail(.unsupported, node.line, "an object of tokens and ids", "something else")
        }
        var tokens = [TokenizerDraft.Token?](repeating: nil, count: members.count)
        var lines: [[UInt8]: Int] = [:]
        for (key, value) in members {
            if let first = lines.updateValue(value.line, forKey: key) {
                throw fail(
                    .duplicateToken, value.line, "each token once",
                    "\(Vocabulary.quoted(key)) again, first on line \(first)")
            }
            guard let id = value.integer else {
                throw fail(.nonContiguousIDs, value.line, "a whole number", "\(Vocabulary.quoted(key)) without one")
            }
            guard tokens.indices.contains(id) else {
                throw fail(
                    .nonContiguousIDs, value.line, "ids from 0 to \(members.count - 1)",
                    "\(id) for \(Vocabulary.quoted(key))")
            }
            if let other = tokens[id] {
                throw fail(
                    .nonContiguousIDs, value.line, "each id once",
                    "\(id) for \(Vocabulary.quoted(other.bytes)) and for \(Vocabulary.quoted(key))")
            }
            tokens[id] = TokenizerDraft.Token(bytes: key, line: value.line)
        }
        return tokens.map { $0! }
    }

    /// A pair of tokens a line after an optional first line `#version: …`.
    static func merges(_ data: Data, file: String) throws -> [TokenizerDraft.Merge] {
        var merges: [TokenizerDraft.Merge] = []
        for (index, row) in try rows(data, file: file, operation: "reading the merges").enumerated() {
            if index == 0 && row.starts(with: "#version".utf8) { continue }
            merges.append(try TokenizerDraft.Merge(row, file: file, line: index + 1))
        }
        return merges
    }

    /// Lines that end in LF or CR LF; the last may lack its end.
    private static func rows(_ data: Data, file: String, operation: String) throws -> [[UInt8]] {
        let bytes = [UInt8](data)
        if let place = bytes.withUnsafeBufferPointer(UTF8Validation.firstInvalid) {
            throw TokenizerError(
                .invalidUTF8, operation, file: file, line: 1 + bytes[..<place].count { $0 == UInt8(ascii: "\n") },
                expected: "UTF-8", found: "byte 0x\(String(bytes[place], radix: 16))")
        }
        var rows = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if rows.last?.isEmpty == true { rows.removeLast() }
        return rows.map { Array($0.last == 0x0D ? $0.dropLast() : $0) }
    }
}
