/// Remembers how short words were split: most words of a text have been seen before.
///
/// Direct-mapped and of fixed size: a new word replaces the one in its place. Words of up to 16 bytes are their own key,
/// so finding one compares two integers.
struct WordCache: ~Copyable {
    static let maximumLength = 16
    static let maximumCount = 4

    struct Key: BitwiseCopyable {
        var low: UInt64
        var high: UInt64
        var length: UInt8

        /// Reads no byte outside the word. `count` is from 1 to 16.
        @inline(__always)
        init(_ bytes: UnsafePointer<UInt8>, count: Int) {
            let raw = UnsafeRawPointer(bytes)
            if count >= 8 {
                low = raw.loadUnaligned(as: UInt64.self)
                high = raw.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            } else if count >= 4 {
                low = UInt64(raw.loadUnaligned(as: UInt32.self))
                high = UInt64(raw.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
            } else {
                low = UInt64(bytes[0]) | UInt64(bytes[count / 2]) << 8 | UInt64(bytes[count - 1]) << 16
                high = 0
            }
            length = UInt8(truncatingIfNeeded: count)
        }

        @inline(__always)
        var slot: Int {
            let product = (low ^ 0x9E37_79B9_7F4A_7C15)
                .multipliedFullWidth(by: high ^ 0xE703_7ED1_A0B4_28DB &+ UInt64(length) &<< 56)
            return Int(truncatingIfNeeded: (product.high ^ product.low) & UInt64(slotCount - 1))
        }
    }

    /// Ids of a word's tokens, and where each ends within the word. No tokens at all is possible too.
    struct Entry: BitwiseCopyable {
        var low: UInt64 = 0
        var high: UInt64 = 0
        var ids = SIMD4<Int32>()
        var ends = SIMD4<UInt8>()
        /// 0 marks an empty place.
        var length: UInt8 = 0
        var count: UInt8 = 0
    }

    private static let slotCount = 1 << 13
    private let entries: UnsafeMutablePointer<Entry>

    init() {
        entries = .allocate(capacity: Self.slotCount)
        entries.initialize(repeating: Entry(), count: Self.slotCount)
    }

    deinit { entries.deallocate() }

    @inline(__always)
    func entry(for key: Key) -> UnsafePointer<Entry>? {
        let entry = UnsafePointer(entries + key.slot)
        return entry.pointee.low == key.low && entry.pointee.high == key.high && entry.pointee.length == key.length
            ? entry : nil
    }

    /// Remembers the tokens from `tokens`, whose places count from `origin`; nothing if they are too many.
    func remember(_ key: Key, _ tokens: UnsafeBufferPointer<PlacedToken>, origin: Int32) {
        guard tokens.count <= Self.maximumCount else { return }
        var entry = Entry()
        entry.low = key.low
        entry.high = key.high
        entry.length = key.length
        entry.count = UInt8(tokens.count)
        for (index, token) in tokens.enumerated() {
            entry.ids[index] = token.id
            entry.ends[index] = UInt8(token.end - origin)
        }
        entries[key.slot] = entry
    }
}
