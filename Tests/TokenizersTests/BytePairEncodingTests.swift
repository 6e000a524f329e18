import Testing

@testable import Tokenizers

@Suite struct BytePairEncodingTests {
    /// Merges by the definition: lowest rank first, leftmost among equals, one at a time.
    static func naive(_ word: [UInt8], _ merges: [(left: Int32, right: Int32, result: Int32)]) -> [Int32] {
        var ids = word.map { Int32($0) }
        while true {
            var best: (rank: Int, place: Int)?
            for place in ids.indices.dropLast() {
                if let rank = merges.firstIndex(where: { $0.left == ids[place] && $0.right == ids[place + 1] }),
                    rank < best?.rank ?? .max
                {
                    best = (rank, place)
                }
            }
            guard let best else { return ids }
            ids.replaceSubrange(best.place...best.place + 1, with: [merges[best.rank].result])
        }
    }

    static func encode(_ word: [UInt8], _ encoding: BytePairEncoding) -> [PlacedToken] {
        var scratch = EncodingScratch()
        scratch.tokens.reserve(word.count)
        word.withUnsafeBufferPointer { encoding.append($0.baseAddress!, $0.count, origin: 0, to: &scratch) }
        return (0..<scratch.tokens.count).map { scratch.tokens.base[$0] }
    }

    @Test("Short and long words merge as defined, whatever the ranks")
    func definition() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            // Random merges over the letters a to d and what they form.
            var merges: [(left: Int32, right: Int32, result: Int32)] = []
            var known: [Int32] = [97, 98, 99, 100]
            for result in Int32(256)..<Int32.random(in: 257..<280, using: &random) {
                let pair = (known.randomElement(using: &random)!, known.randomElement(using: &random)!)
                guard !merges.contains(where: { $0.left == pair.0 && $0.right == pair.1 }) else { continue }
                merges.append((pair.0, pair.1, result))
                known.append(result)
            }
            let encoding = BytePairEncoding(
                byteIDs: (0..<256).map { Int32($0) }, table: MergeTable(merges), unknown: nil, fusesUnknown: false)
            for count in [1, 2, 5, 17, 48, 49, 120] {
                let word = (0..<count).map { _ in UInt8.random(in: 97...100, using: &random) }
                let found = Self.encode(word, encoding)
                #expect(found.map(\.id) == Self.naive(word, merges))
                #expect(found.first?.start == 0 && found.last?.end == Int32(count))
                #expect(zip(found, found.dropFirst()).allSatisfy { $0.end == $1.start })
            }
        }
    }

    @Test("Bytes without a token are dropped, or become unknown tokens one by one or fused")
    func unknown() {
        var ids = [Int32](repeating: -1, count: 256)
        ids[97] = 5
        let word: [UInt8] = [98, 97, 98, 98, 97]
        func encode(_ unknown: Int32?, _ fuses: Bool) -> [Int32] {
            let encoding = BytePairEncoding(
                byteIDs: ids, table: MergeTable([]), unknown: unknown, fusesUnknown: fuses)
            return Self.encode(word, encoding).map(\.id)
        }
        #expect(encode(nil, false) == [5, 5])
        #expect(encode(9, false) == [9, 5, 9, 9, 5])
        #expect(encode(9, true) == [9, 5, 9, 5])
    }
}
