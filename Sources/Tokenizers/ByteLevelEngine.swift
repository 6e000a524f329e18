/// RoBERTa's and GPT-2's way from text to tokens: split by their regular expression, then merge bytes.
///
/// The expression: `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
struct ByteLevelEngine: TextEngine {
    private let merges: BytePairEncoding
    private let addsPrefixSpace: Bool
    private let trims: Bool
    private let tables = UnicodeTables.shared
    private let byteClasses: ByteClasses

    private static let other: UInt8 = 0
    private static let letter: UInt8 = 1
    private static let number: UInt8 = 2
    private static let space: UInt8 = 3

    init(_ specification: TokenizerSpecification, merges: BytePairEncoding) {
        self.merges = merges
        addsPrefixSpace = specification.addsPrefixSpace
        trims = specification.trimsOffsets
        byteClasses = ByteClasses { $0 < 0x80 ? Self.kind(UnicodeTables.shared[UInt32($0)]) : ByteClasses.multibyte }
    }

    private static func kind(_ found: UnicodeTables.Class) -> UInt8 {
        found.contains(.letter) ? letter : found.contains(.number) ? number : found.contains(.space) ? space : other
    }

    func normalize(_ piece: UnsafeBufferPointer<UInt8>, base: Int, into scratch: inout EncodingScratch) -> Bool {
        false
    }

    func appendNormalized(_ range: Range<Int>, of scratch: inout EncodingScratch) {
        preconditionFailure("a byte-level tokenizer has no normaliser")
    }

    func append(_ piece: UnsafeBufferPointer<UInt8>, base: Int, to scratch: inout EncodingScratch) {
        let from = scratch.tokens.count
        if addsPrefixSpace && piece[0] != 0x20 {
            scratch.text.count = 0
            scratch.text.reserve(piece.count + 1)
            scratch.text.appendReserved(0x20)
            for byte in piece { scratch.text.appendReserved(byte) }
            let text = UnsafeBufferPointer(start: UnsafePointer(scratch.text.base), count: piece.count + 1)
            appendWords(text, base: Int32(base) - 1, to: &scratch)
        } else {
            appendWords(piece, base: Int32(base), to: &scratch)
        }
        alignOffsets(piece, base: base, from: from, of: &scratch)
    }

    private func appendWords(
        _ piece: UnsafeBufferPointer<UInt8>, base: Int32, to scratch: inout EncodingScratch
    ) {
        guard let text = piece.baseAddress else { return }
        scratch.tokens.reserve(piece.count + 1)
        var index = 0
        while index < piece.count {
            let end = wordEnd(text, from: index, count: piece.count)
            let origin = base &+ Int32(truncatingIfNeeded: index)
            if end - index <= WordCache.maximumLength {
                let key = WordCache.Key(text + index, count: end - index)
                if let entry = scratch.words.entry(for: key) {
                    scratch.tokens.appendReserved(entry, origin: origin)
                } else {
                    let from = scratch.tokens.count
                    merges.append(text + index, end - index, origin: origin, to: &scratch)
                    scratch.words.remember(
                        key,
                        UnsafeBufferPointer(start: scratch.tokens.base + from, count: scratch.tokens.count - from),
                        origin: origin)
                }
            } else {
                merges.append(text + index, end - index, origin: origin, to: &scratch)
            }
            index = end
        }
    }

    /// The kind of the character at `index`, and its length.
    @inline(__always)
    private func kind(_ text: UnsafePointer<UInt8>, _ index: Int) -> (kind: UInt8, length: Int) {
        let found = byteClasses.base[Int(text[index])]
        if found != ByteClasses.multibyte { return (found, 1) }
        let (code, length) = UTF8Text.decode(text, index)
        return (Self.kind(tables[code]), length)
    }

    /// Where the match of the expression that starts at `start` ends.
    @inline(__always)
    private func wordEnd(_ text: UnsafePointer<UInt8>, from start: Int, count: Int) -> Int {
        if text[start] == UInt8(ascii: "'"), let end = contractionEnd(text, from: start, count: count) { return end }
        var index = start
        var (found, length) = kind(text, start)
        if found == Self.space {
            // ` ?` before a run of one of the three kinds; otherwise white space.
            guard text[start] == 0x20, start + 1 < count else { return spaceEnd(text, from: start, count: count) }
            index += 1
            (found, length) = kind(text, index)
            if found == Self.space { return spaceEnd(text, from: start, count: count) }
        }
        index += length
        while index < count {
            let next = kind(text, index)
            guard next.kind == found else { break }
            index += next.length
        }
        return index
    }

    private func contractionEnd(_ text: UnsafePointer<UInt8>, from start: Int, count: Int) -> Int? {
        guard start + 1 < count else { return nil }
        switch text[start + 1] {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
        case UInt8(ascii: "r"), UInt8(ascii: "v"):
            return start + 2 < count && text[start + 2] == UInt8(ascii: "e") ? start + 3 : nil
        case UInt8(ascii: "l"): return start + 2 < count && text[start + 2] == UInt8(ascii: "l") ? start + 3 : nil
        default: return nil
        }
    }

    /// `\s+(?!\S)|\s+`: all of a run at the end of the text; before other text all but its last character.
    private func spaceEnd(_ text: UnsafePointer<UInt8>, from start: Int, count: Int) -> Int {
        var index = start
        var last = start
        while index < count {
            let next = kind(text, index)
            guard next.kind == Self.space else { return last > start ? last : index }
            last = index
            index += next.length
        }
        return index
    }

    /// Widens tokens that hold a part of a character to the whole of it, and leaves out spaces at both ends if asked.
    ///
    /// An added space starts before `base` and counts as the piece's first character. As in the reference a single
    /// space at the start of the text is not left out if spaces are added, and an added one elsewhere is.
    private func alignOffsets(
        _ piece: UnsafeBufferPointer<UInt8>, base: Int, from: Int, of scratch: inout EncodingScratch
    ) {
        for index in from..<scratch.tokens.count {
            let token = scratch.tokens.base[index]
            let hasAddedSpace = Int(token.start) < base
            let isAddedSpace = hasAddedSpace && token.end - token.start == 1
            var start = max(Int(token.start) - base, 0)
            var end = max(Int(token.end) - base, 1)
            while start > 0, UTF8Text.isContinuation(piece[start]) { start -= 1 }
            while end < piece.count, UTF8Text.isContinuation(piece[end]) { end += 1 }
            if trims {
                var leading = 0
                while start + leading < end, piece[start + leading] == 0x20 { leading += 1 }
                var trailing = 0
                while end - trailing > start, piece[end - trailing - 1] == 0x20 { trailing += 1 }
                let keeps = addsPrefixSpace && base + start == 0 && (leading == 1 || hasAddedSpace)
                if hasAddedSpace { leading = UTF8Text.decode(piece.baseAddress!, 0).length }
                if isAddedSpace { trailing = end }
                if !keeps { start = min(start + leading, end) }
                end = max(end - trailing, start)
            }
            scratch.tokens.base[index].start = Int32(base + start)
            scratch.tokens.base[index].end = Int32(base + end)
        }
    }
}
