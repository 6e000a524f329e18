import Foundation

/// Finds added tokens in a text: the leftmost, and the longest of those that start there.
struct AddedTokenMatcher: Sendable {
    struct Match {
        var id: Int32
        var range: Range<Int>
    }

    private struct Candidate: Sendable {
        var bytes: [UInt8]
        var token: AddedToken
    }

    /// Candidates by first byte, longest first.
    private let candidates: [[Candidate]]
    private let firstBytes: ByteClasses
    private let onlyFirstByte: UInt8?
    private let tables = UnicodeTables.shared
    let isEmpty: Bool

    /// - Parameter tokens: each with the bytes to look for, which differ from its content where that is normalised.
    init(_ tokens: [(bytes: [UInt8], token: AddedToken)]) {
        let usable = tokens.filter { !$0.bytes.isEmpty }
        var buckets = [[Candidate]](repeating: [], count: 256)
        for (bytes, token) in usable where !buckets[Int(bytes[0])].contains(where: { $0.bytes == bytes }) {
            buckets[Int(bytes[0])].append(Candidate(bytes: bytes, token: token))
        }
        candidates = buckets.map { bucket in
            bucket.enumerated()
                .sorted { ($1.element.bytes.count, $0.offset) < ($0.element.bytes.count, $1.offset) }
                .map(\.element)
        }
        let first = Set(usable.map { $0.bytes[0] })
        onlyFirstByte = first.count == 1 ? first.first : nil
        firstBytes = ByteClasses { first.contains($0) ? 1 : 0 }
        isEmpty = usable.isEmpty
    }

    /// Calls `gap` for each stretch without added tokens and `match` for each added token, in the order of the text.
    func split(
        _ text: UnsafeBufferPointer<UInt8>, gap: (Range<Int>) -> Void, match: (Match) -> Void
    ) {
        var done = 0
        var from = 0
        while let (found, start) = next(in: text, from: from) {
            var range = start..<start + found.bytes.count
            from = range.upperBound
            if found.token.singleWord && !standsAlone(range, in: text) { continue }
            if found.token.stripsLeft { range = max(leftSpace(range.lowerBound, in: text), done)..<range.upperBound }
            if found.token.stripsRight { range = range.lowerBound..<rightSpace(range.upperBound, in: text) }
            if done < range.lowerBound { gap(done..<range.lowerBound) }
            match(Match(id: found.token.id, range: range))
            done = range.upperBound
        }
        if done < text.count { gap(done..<text.count) }
    }

    private func next(in text: UnsafeBufferPointer<UInt8>, from: Int) -> (Candidate, Int)? {
        guard !isEmpty, let base = text.baseAddress else { return nil }
        var index = from
        while index < text.count {
            if let onlyFirstByte {
                guard let place = memchr(base + index, Int32(onlyFirstByte), text.count - index) else { return nil }
                index = UnsafeRawPointer(place) - UnsafeRawPointer(base)
            } else {
                while index < text.count, firstBytes.base[Int(text[index])] == 0 { index += 1 }
                guard index < text.count else { return nil }
            }
            for candidate in candidates[Int(text[index])]
            where candidate.bytes.count <= text.count - index
                && memcmp(candidate.bytes, base + index, candidate.bytes.count) == 0
            {
                return (candidate, index)
            }
            index += 1
        }
        return nil
    }

    private func standsAlone(_ range: Range<Int>, in text: UnsafeBufferPointer<UInt8>) -> Bool {
        let base = text.baseAddress!
        let before = range.lowerBound > 0 ? UTF8Text.decode(base, endingAt: range.lowerBound).code : 0x20
        let after = range.upperBound < text.count ? UTF8Text.decode(base, range.upperBound).code : 0x20
        return !tables[before].contains(.word) && !tables[after].contains(.word)
    }

    private func leftSpace(_ end: Int, in text: UnsafeBufferPointer<UInt8>) -> Int {
        var index = end
        while index > 0 {
            let (code, length) = UTF8Text.decode(text.baseAddress!, endingAt: index)
            guard tables[code].contains(.space) else { break }
            index -= length
        }
        return index
    }

    private func rightSpace(_ start: Int, in text: UnsafeBufferPointer<UInt8>) -> Int {
        var index = start
        while index < text.count {
            let (code, length) = UTF8Text.decode(text.baseAddress!, index)
            guard tables[code].contains(.space) else { break }
            index += length
        }
        return index
    }
}
