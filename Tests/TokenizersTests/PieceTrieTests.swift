import Testing

@testable import Tokenizers

@Suite struct PieceTrieTests {
    @Test("The longest piece at the start is found, as by looking at all of them")
    func longest() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            var pieces: Set<[UInt8]> = [[]]
            for _ in 0..<60 { pieces.insert((0..<Int.random(in: 1...6)).map { _ in UInt8.random(in: 97...99) }) }
            let ordered = Array(pieces)
            let trie = PieceTrie(ordered.enumerated().map { (ordered[$0.offset][...], Int32($0.offset)) })
            for _ in 0..<100 {
                let text = (0..<Int.random(in: 0...9)).map { _ in UInt8.random(in: 97...99, using: &random) }
                let expected = ordered.filter { !$0.isEmpty && text.starts(with: $0) }.max { $0.count < $1.count }
                let found = text.withUnsafeBufferPointer { trie.longestMatch($0) }
                #expect(found?.length == expected?.count)
                #expect(found.map { ordered[Int($0.id)] } == expected)
            }
        }
    }

    @Test("A trie of nothing finds nothing")
    func empty() {
        let trie = PieceTrie([])
        #expect([UInt8(1), 2].withUnsafeBufferPointer { trie.longestMatch($0) } == nil)
    }
}
