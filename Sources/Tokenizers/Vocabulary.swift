/// Tokens by id and ids by token. Keys are bytes: Swift's `String` equality would merge canonically equivalent tokens.
final class Vocabulary: Sendable {
    /// All tokens' bytes, one after the other.
    private let bytes: [UInt8]
    /// Where each token ends in `bytes`.
    private let ends: [Int]
    /// Open addressing over a power of two of slots; -1 is free.
    private let slots: [Int32]

    var count: Int { ends.count }

    /// Throws `duplicate-token`. `line` gives the line of an index for the message.
    init(_ tokens: [[UInt8]], file: String?, line: (Int) -> Int?) throws {
        var size = 16
        while size < tokens.count * 2 { size *= 2 }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(tokens.reduce(0) { $0 + $1.count })
        var ends: [Int] = []
        ends.reserveCapacity(tokens.count)
        var slots = [Int32](repeating: -1, count: size)
        for (index, token) in tokens.enumerated() {
            var slot = Self.hash(token) & (size - 1)
            while slots[slot] >= 0 {
                if tokens[Int(slots[slot])] == token {
                    throw TokenizerError(
                        .duplicateToken, "reading the vocabulary", file: file, line: line(index),
                        expected: "each token once",
                        found: "\(Self.quoted(token)) with the ids \(slots[slot]) and \(index)")
                }
                slot = (slot + 1) & (size - 1)
            }
            slots[slot] = Int32(index)
            bytes += token
            ends.append(bytes.count)
        }
        self.bytes = bytes
        self.ends = ends
        self.slots = slots
    }

    func token(_ id: Int) -> ArraySlice<UInt8> { bytes[(id == 0 ? 0 : ends[id - 1])..<ends[id]] }

    func id(_ token: some Collection<UInt8>) -> Int32? {
        var slot = Self.hash(token) & (slots.count - 1)
        while slots[slot] >= 0 {
            if self.token(Int(slots[slot])).elementsEqual(token) { return slots[slot] }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// FNV-1a.
    private static func hash(_ token: some Collection<UInt8>) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in token { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: (hash ^ hash >> 32) & 0x7FFF_FFFF)
    }

    /// The token for a message.
    static func quoted(_ token: some Collection<UInt8>) -> String { "\"\(String(decoding: token, as: UTF8.self))\"" }
}
