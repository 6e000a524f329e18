/// BERT's way from text to tokens: normalise, split at white space and punctuation, then greedy longest match.
struct WordPieceEngine: TextEngine {
    private let normalizer: BertNormalizer?
    private let tables = UnicodeTables.shared
    private let starts: PieceTrie
    private let continuations: PieceTrie
    private let unknown: Int32
    private let maximumWordLength: Int
    private let separators: ByteClasses

    /// - Parameter unknown: the id of the unknown token.
    init(_ specification: TokenizerSpecification, vocabulary: Vocabulary, unknown: Int32) {
        normalizer = specification.normalization.map(BertNormalizer.init)
        maximumWordLength = specification.maximumWordLength
        self.unknown = unknown
        let prefix = Array(specification.continuationPrefix.utf8)
        let pieces = (0..<vocabulary.count).map { (bytes: vocabulary.token($0), id: Int32($0)) }
        starts = PieceTrie(pieces)
        continuations = PieceTrie(
            pieces.filter { $0.bytes.starts(with: prefix) }.map { ($0.bytes.dropFirst(prefix.count), $0.id) })
        separators = ByteClasses { byte in
            guard byte < 0x80 else { return ByteClasses.multibyte }
            let found = UnicodeTables.shared[UInt32(byte)]
            return found.contains(.space) ? Self.space : found.contains(.punctuation) ? Self.punctuation : Self.word
        }
    }

    private static let word: UInt8 = 0
    private static let space: UInt8 = 1
    private static let punctuation: UInt8 = 2

    func append(_ piece: UnsafeBufferPointer<UInt8>, base: Int, to scratch: inout EncodingScratch) {
        guard let normalizer else {
            copy(piece, base: base, into: &scratch)
            return appendNormalized(0..<scratch.text.count, of: &scratch)
        }
        if normalizer.copyPlainASCII(piece, into: &scratch) {
            appendPlain(base: Int32(base), of: &scratch)
        } else {
            normalizer.normalize(piece, base: base, into: &scratch)
            appendNormalized(0..<scratch.text.count, of: &scratch)
        }
    }

    func normalize(_ piece: UnsafeBufferPointer<UInt8>, base: Int, into scratch: inout EncodingScratch) -> Bool {
        guard let normalizer else { return false }
        normalizer.normalize(piece, base: base, into: &scratch)
        return true
    }

    private func copy(_ piece: UnsafeBufferPointer<UInt8>, base: Int, into scratch: inout EncodingScratch) {
        scratch.text.count = 0
        scratch.origins.count = 0
        scratch.text.reserve(piece.count)
        scratch.origins.reserve(piece.count)
        var index = 0
        while index < piece.count {
            let length = UTF8Text.decode(piece.baseAddress!, index).length
            for offset in 0..<length {
                scratch.text.appendReserved(piece[index + offset])
                scratch.origins.appendReserved(.init(start: Int32(base + index), end: Int32(base + index + length)))
            }
            index += length
        }
    }

    /// `scratch.text` is ASCII and each of its bytes came from the byte at the same place of the piece.
    private func appendPlain(base: Int32, of scratch: inout EncodingScratch) {
        let count = scratch.text.count
        let text = scratch.text.base
        let separators = separators.base
        scratch.tokens.reserve(count)
        var index = 0
        while index < count {
            let start = index
            let found = separators[Int(text[index])]
            index += 1
            if found == Self.space { continue }
            if found == Self.word {
                while index < count, separators[Int(text[index])] == Self.word { index += 1 }
            }
            appendWord(start..<index, shift: base, of: &scratch)
        }
    }

    func appendNormalized(_ range: Range<Int>, of scratch: inout EncodingScratch) {
        let text = UnsafePointer(scratch.text.base)
        let origins = scratch.origins.base
        let from = scratch.tokens.count
        scratch.tokens.reserve(range.count)
        var index = range.lowerBound
        var start = index
        while index < range.upperBound {
            let (code, length) = UTF8Text.decode(text, index)
            let found = tables[code]
            if !found.isDisjoint(with: [.space, .punctuation]) {
                if start < index { appendWord(start..<index, shift: 0, of: &scratch) }
                if !found.contains(.space) { appendWord(index..<index + length, shift: 0, of: &scratch) }
                start = index + length
            }
            index += length
        }
        if start < index { appendWord(start..<index, shift: 0, of: &scratch) }
        // From places in the normalised text to places in the text it came from.
        for token in from..<scratch.tokens.count {
            let placed = scratch.tokens.base[token]
            scratch.tokens.base[token].start = origins[Int(placed.start)].start
            scratch.tokens.base[token].end = origins[Int(placed.end) - 1].end
        }
    }

    /// Appends the tokens of one word; room for one token per byte has been reserved.
    @inline(__always)
    private func appendWord(_ word: Range<Int>, shift: Int32, of scratch: inout EncodingScratch) {
        let start = UnsafePointer(scratch.text.base) + word.lowerBound
        let origin = Int32(truncatingIfNeeded: word.lowerBound) &+ shift
        guard word.count <= WordCache.maximumLength else {
            return appendPieces(start, word.count, origin: origin, to: &scratch.tokens)
        }
        let key = WordCache.Key(start, count: word.count)
        if let entry = scratch.words.entry(for: key) {
            scratch.tokens.appendReserved(entry, origin: origin)
        } else {
            let from = scratch.tokens.count
            appendPieces(start, word.count, origin: origin, to: &scratch.tokens)
            scratch.words.remember(
                key, UnsafeBufferPointer(start: scratch.tokens.base + from, count: scratch.tokens.count - from),
                origin: origin)
        }
    }

    /// The longest token that fits, then the longest that goes on from there; one gap makes the whole word unknown.
    @inline(never)
    private func appendPieces(
        _ word: UnsafePointer<UInt8>, _ count: Int, origin: Int32, to tokens: inout RawBuffer<PlacedToken>
    ) {
        let from = tokens.count
        let isTooLong =
            count > maximumWordLength
            && {
                var characters = 0
                for index in 0..<count where !UTF8Text.isContinuation(word[index]) { characters += 1 }
                return characters > maximumWordLength
            }()
        var position = isTooLong ? -1 : 0
        while position >= 0 && position < count {
            let rest = UnsafeBufferPointer(start: word + position, count: count - position)
            guard let (id, length) = (position == 0 ? starts : continuations).longestMatch(rest) else {
                position = -1
                break
            }
            let start = origin + Int32(position)
            tokens.appendReserved(PlacedToken(id: id, start: start, end: start + Int32(length)))
            position += length
        }
        if position < 0 {
            tokens.count = from
            tokens.appendReserved(PlacedToken(id: unknown, start: origin, end: origin + Int32(count)))
        }
    }
}

extension RawBuffer where Element == PlacedToken {
    /// Appends the tokens of a word that was seen before; room for them must have been reserved.
    @inline(__always)
    mutating func appendReserved(_ entry: UnsafePointer<WordCache.Entry>, origin: Int32) {
        var start = origin
        for index in 0..<Int(entry.pointee.count) {
            let end = origin &+ Int32(entry.pointee.ends[index])
            appendReserved(PlacedToken(id: entry.pointee.ids[index], start: start, end: end))
            start = end
        }
    }
}
