/// Finds the longest token that a text starts with, walking byte by byte through one flat table of edges.
struct PieceTrie: Sendable {
    /// Open addressing over (node, byte); a key of `UInt32.max` is free.
    private let keys: [UInt32]
    private let children: [UInt32]
    private let mask: Int
    /// The token that ends at each node; -1 for none.
    private let tokens: [Int32]

    /// `pieces` are distinct; empty ones can never be found.
    init(_ pieces: [(bytes: ArraySlice<UInt8>, id: Int32)]) {
        // Sorted pieces share their common start with the piece before, so nodes need no look-up while building.
        let sorted = pieces.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        var tokens: [Int32] = [-1]
        var edges: [(key: UInt32, child: UInt32)] = []
        var path: [UInt32] = [0]
        var previous: ArraySlice<UInt8> = []
        for piece in sorted where !piece.bytes.isEmpty {
            let shared = zip(previous, piece.bytes).prefix { $0 == $1 }.count
            path.removeSubrange((shared + 1)...)
            for byte in piece.bytes.dropFirst(shared) {
                edges.append((path.last! << 8 | UInt32(byte), UInt32(tokens.count)))
                path.append(UInt32(tokens.count))
                tokens.append(-1)
            }
            tokens[Int(path.last!)] = piece.id
            previous = piece.bytes
        }
        precondition(tokens.count < 1 << 24)
        var size = 16
        while size < edges.count * 2 { size *= 2 }
        var keys = [UInt32](repeating: .max, count: size)
        var children = [UInt32](repeating: 0, count: size)
        for edge in edges {
            var slot = Self.hash(edge.key) & (size - 1)
            while keys[slot] != .max { slot = (slot + 1) & (size - 1) }
            keys[slot] = edge.key
            children[slot] = edge.child
        }
        self.keys = keys
        self.children = children
        self.tokens = tokens
        mask = size - 1
    }

    @inline(__always)
    private static func hash(_ key: UInt32) -> Int { Int(truncatingIfNeeded: key &* 0x9E37_79B1 >> 7) }

    /// The longest token at the start of `text`, and its length; nil if no token is there.
    func longestMatch(_ text: UnsafeBufferPointer<UInt8>) -> (id: Int32, length: Int)? {
        keys.withUnsafeBufferPointer { keys in
            var node: UInt32 = 0
            var found: (id: Int32, length: Int)?
            for (index, byte) in text.enumerated() {
                let key = node << 8 | UInt32(byte)
                var slot = Self.hash(key) & mask
                while keys[slot] != key {
                    if keys[slot] == .max { return found }
                    slot = (slot + 1) & mask
                }
                node = children[slot]
                if tokens[Int(node)] >= 0 { found = (tokens[Int(node)], index + 1) }
            }
            return found
        }
    }
}
