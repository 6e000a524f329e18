import Testing

@testable import Tokenizers

@Suite struct WordCacheTests {
    @Test("Different words of up to 16 bytes have different keys")
    func keys() {
        var seen: [[UInt64]: [UInt8]] = [:]
        var words: Set<[UInt8]> = []
        for count in 1...16 {
            for _ in 0..<400 { words.insert((0..<count).map { _ in [0, 1, 97, 255].randomElement()! }) }
        }
        for word in words {
            let key = word.withUnsafeBufferPointer { WordCache.Key($0.baseAddress!, count: word.count) }
            #expect(seen.updateValue(word, forKey: [key.low, key.high, UInt64(key.length)]) == nil)
        }
    }

    @Test("What was remembered comes back, more tokens than fit are not remembered")
    func remembering() {
        let cache = WordCache()
        let key = [UInt8(97), 98, 99, 100, 101].withUnsafeBufferPointer { WordCache.Key($0.baseAddress!, count: 5) }
        #expect(cache.entry(for: key) == nil)
        let tokens = (0..<5).map { PlacedToken(id: Int32($0), start: 100 + Int32($0), end: 101 + Int32($0)) }
        tokens.withUnsafeBufferPointer { cache.remember(key, $0, origin: 100) }
        #expect(cache.entry(for: key) == nil)
        tokens.prefix(4).withUnsafeBufferPointer { cache.remember(key, $0, origin: 100) }
        let entry = cache.entry(for: key)?.pointee
        #expect(entry?.count == 4 && entry?.ids == SIMD4(0, 1, 2, 3) && entry?.ends == SIMD4(1, 2, 3, 4))
    }
}
