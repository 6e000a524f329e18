import Crypto

/// The SHA-256 of some bytes: the name of everything the store holds.
///
/// Only the form `sha256:` followed by 64 lower-case hexadecimal digits is parsed. Every path below a store is made
/// from a
/// `Digest`, a checked name or a constant, so no string from outside ever becomes a path.
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
    private var words: (UInt64, UInt64, UInt64, UInt64)

    /// The digest of `bytes`.
    public init(of bytes: UnsafeRawBufferPointer) {
        var hasher = Hasher256()
        hasher.update(bytes)
        self = hasher.finish()
    }

    /// The digest of the bytes of a collection such as `[UInt8]` or `Data`.
    public init(of bytes: some Sequence<UInt8>) {
        let digest: Digest? = bytes.withContiguousStorageIfAvailable { Digest(of: UnsafeRawBufferPointer($0)) }
        self = digest ?? Array(bytes).withUnsafeBytes { Digest(of: $0) }
    }

    /// Exactly 32 bytes, as in a blob's header; nil for any other count.
    public init?(rawBytes: some Sequence<UInt8>) {
        let bytes = Array(rawBytes)
        guard bytes.count == 32 else { return nil }
        func word(_ index: Int) -> UInt64 {
            bytes[index * 8..<index * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) }
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// Exactly 64 lower-case hexadecimal digits; nil for anything else.
    public init?(hex: some StringProtocol) {
        var bytes = [UInt8]()
        bytes.reserveCapacity(32)
        var high: UInt8?
        for character in hex.utf8 {
            let digit: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
            if bytes.count > 32 { return nil }
        }
        guard high == nil else { return nil }
        self.init(rawBytes: bytes)
    }

    /// Parses `sha256:<64 lower-case hexadecimal digits>`; throws `StoreError` with code `invalidDigest` otherwise.
    public init(parsing text: String) throws {
        guard let digest = Digest(text) else {
            throw StoreError(
                .invalidDigest, operation: "read a digest", expected: "sha256: and 64 lower-case hexadecimal digits",
                found: StoreError.quoted(text))
        }
        self = digest
    }

    /// Like `init(parsing:)`, with nil for anything malformed.
    public init?(_ text: String) {
        guard text.utf8.starts(with: "sha256:".utf8) else { return nil }
        self.init(hex: String(decoding: text.utf8.dropFirst(7), as: UTF8.self))
    }

    /// 64 lower-case hexadecimal digits.
    public var hex: String {
        func digits(_ word: UInt64) -> String {
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.utf8.count) + text
        }
        return digits(words.0) + digits(words.1) + digits(words.2) + digits(words.3)
    }

    /// The 32 bytes.
    public var rawBytes: [UInt8] {
        [words.0, words.1, words.2, words.3].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64($0))) }
        }
    }

    /// `sha256:` and the hexadecimal digits.
    public var description: String { "sha256:" + hex }

    /// The first twelve hexadecimal digits, for people; unique in any store of sensible size.
    public var short: String { String(hex.prefix(12)) }

    public static func == (left: Digest, right: Digest) -> Bool { left.words == right.words }

    public static func < (left: Digest, right: Digest) -> Bool { left.words < right.words }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}

extension Digest: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self = try Digest(parsing: container.decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// SHA-256 in portions; the one place that touches the cryptography package.
struct Hasher256 {
    private var function = SHA256()

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if bytes.count > 0 { function.update(bufferPointer: bytes) }
    }

    func finish() -> Digest {
        // A SHA-256 is always 32 bytes.
        Digest(rawBytes: function.finalize())!
    }
}
