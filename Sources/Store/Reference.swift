import Foundation

/// A name for an artifact: the only thing in a store that changes.
public struct Reference: Hashable, Sendable {
    /// One artifact that the name stood for.
    public struct Entry: Hashable, Sendable {
        public var digest: Digest
        /// When the name was set, in whole seconds.
        public var created: Date
        /// The tool and version that set it.
        public var tool: String?

        public init(digest: Digest, created: Date, tool: String? = nil) {
            self.digest = digest
            self.created = created
            self.tool = tool
        }
    }

    public var kind: String
    public var name: String
    public var current: Entry
    /// What the name stood for before, newest first.
    public var history: [Entry]

    public var digest: Digest { current.digest }
    public var created: Date { current.created }

    public init(kind: String, name: String, current: Entry, history: [Entry] = []) {
        self.kind = kind
        self.name = name
        self.current = current
        self.history = history
    }
}

/// The rules for the two strings of a reference's path.
public enum ReferenceName {
    /// Letters, digits, `.`, `_`, `-`; not first a `.` or `-`; at most 128. No separator, so a name stays in its
    /// folder.
    public static func isValid(name: String) -> Bool {
        guard (1...128).contains(name.utf8.count), let first = name.utf8.first else { return false }
        return name.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
            && isWord(first)
    }

    /// Lower-case letters, digits and `-`, first a letter; at most 32.
    public static func isValid(kind: String) -> Bool {
        guard (1...32).contains(kind.utf8.count), let first = kind.utf8.first else { return false }
        return kind.utf8.allSatisfy { isLower($0) || isDigit($0) || $0 == UInt8(ascii: "-") } && isLower(first)
    }

    /// Whether a text can be the beginning of a digest: 8 to 64 of its digits.
    public static func looksLikeDigest(_ text: String) -> Bool {
        (8...64).contains(text.utf8.count) && text.utf8.allSatisfy { isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0) }
    }

    private static func isLower(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private static func isWord(_ byte: UInt8) -> Bool {
        isLower(byte) || isDigit(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || byte == UInt8(ascii: "_")
    }
}

/// A reference's file: canonical JSON of one line with a checksum over the rest of it, so that any changed byte is
/// noticed.
extension Reference {
    static let fileLimit = 16 << 20

    var json: JSONValue {
        [
            "current": Self.json(current), "history": .array(history.map(Self.json)), "kind": .string(kind),
            "name": .string(name), "version": 1,
        ]
    }

    private static func json(_ entry: Entry) -> JSONValue {
        [
            "created": .integer(Int64(entry.created.timeIntervalSince1970)),
            "digest": .string(entry.digest.description),
            "tool": entry.tool.map { .string($0) } ?? .null,
        ]
    }

    func fileContents() throws -> [UInt8] {
        guard var members = json.objectValue else { preconditionFailure("a reference is an object") }
        members["checksum"] = .string(Digest(of: try json.canonicalBytes()).description)
        return try JSONValue.object(members).canonicalBytes() + [0x0a]
    }

    /// Reads a reference's file; anything that this code would not have written is damage.
    init(contents: [UInt8], kind: String, name: String, path: String) throws {
        func fault(_ found: String) -> StoreError {
            StoreError(
                .damaged, operation: "read a reference", path: path, expected: "a reference with a true checksum",
                found: found, advice: "set the name again, or restore the file")
        }
        guard contents.last == 0x0a, let json = try? JSONValue(parsing: contents), let members = json.objectValue else {
            throw fault("other text")
        }
        if let version = members["version"]?.integerValue, version > 1 {
            throw StoreError(
                .newerFormat, operation: "read a reference", path: path, expected: "version 1", found: "\(version)",
                advice: "use a newer version of this tool")
        }
        func entry(_ json: JSONValue?) throws -> Entry {
            guard let digest = json?["digest"]?.stringValue.flatMap({ Digest($0) }),
                let seconds = json?["created"]?.integerValue
            else { throw fault("a malformed entry") }
            return Entry(
                digest: digest, created: Date(timeIntervalSince1970: TimeInterval(seconds)),
                tool: json?["tool"]?.stringValue)
        }
        self.init(
            kind: kind, name: name, current: try entry(members["current"]),
            history: try (members["history"]?.arrayValue ?? []).map { try entry($0) })
        guard try fileContents() == contents else { throw fault("a changed byte") }
    }
}
