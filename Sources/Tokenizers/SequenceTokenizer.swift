import JSON

/// The tokenizer of both kinds: added tokens, then the kind's engine, then truncation and the template.
final class SequenceTokenizer: Tokenizer {
    let specification: TokenizerSpecification
    let vocabularySize: Int
    let padID: Int32
    private let vocabulary: Vocabulary
    private let mergeLines: [UInt8]?
    private let addedIDs: [[UInt8]: Int32]
    private let addedByID: [Int32: AddedToken]
    private let engine: any TextEngine
    /// Looked for in the raw text.
    private let rawMatcher: AddedTokenMatcher
    /// Looked for in the normalised text.
    private let normalizedMatcher: AddedTokenMatcher
    private let pool = ScratchPool()

    /// - Parameter mergeLines: the canonical merges, kept for `archive`.
    init(
        _ specification: TokenizerSpecification, vocabulary: Vocabulary, engine: any TextEngine, padID: Int32,
        mergeLines: [UInt8]?
    ) {
        self.specification = specification
        self.vocabulary = vocabulary
        self.engine = engine
        self.padID = padID
        self.mergeLines = mergeLines
        let added = specification.addedTokens
        vocabularySize = max(vocabulary.count, added.map { Int($0.id) + 1 }.max() ?? 0)
        addedIDs = Dictionary(added.map { (Array($0.content.utf8), $0.id) }) { first, _ in first }
        addedByID = Dictionary(added.map { ($0.id, $0) }) { first, _ in first }
        // The reference looks at special tokens before others, which decides between equal texts.
        let ordered = added.filter(\.isSpecial) + added.filter { !$0.isSpecial }
        rawMatcher = AddedTokenMatcher(
            ordered.filter { !$0.isNormalized }.map { (Array($0.content.utf8), $0) })
        normalizedMatcher = AddedTokenMatcher(
            ordered.filter(\.isNormalized).map { (Self.normalized($0.content, by: engine), $0) })
    }

    private static func normalized(_ content: String, by engine: any TextEngine) -> [UInt8] {
        let bytes = Array(content.utf8)
        var scratch = EncodingScratch()
        return bytes.withUnsafeBufferPointer { piece in
            guard engine.normalize(piece, base: 0, into: &scratch) else { return bytes }
            return Array(UnsafeBufferPointer(start: scratch.text.base, count: scratch.text.count))
        }
    }

    func templateLength(isPair: Bool) -> Int { specification.template.addedCount(isPair: isPair) }

    func token(_ id: Int32) -> String? {
        if let added = addedByID[id] { return added.content }
        guard id >= 0, Int(id) < vocabulary.count else { return nil }
        return String(decoding: vocabulary.token(Int(id)), as: UTF8.self)
    }

    func id(of token: String) -> Int32? { addedIDs[Array(token.utf8)] ?? vocabulary.id(Array(token.utf8)) }

    var archive: TokenizerArchive {
        TokenizerArchive(specification, tokens: (0..<vocabulary.count).map(vocabulary.token), mergeLines: mergeLines)
    }

    func encode(
        utf8 text: UnsafeBufferPointer<UInt8>, pair: UnsafeBufferPointer<UInt8>?, maxLength: Int?,
        into encoding: inout Encoding
    ) throws {
        let template = pair == nil ? specification.template.single : specification.template.pair
        let added = specification.template.addedCount(isPair: pair != nil)
        if let maxLength, maxLength < added {
            throw TokenizerError(
                .maximumLengthTooSmall, "encoding a text", expected: "a maximum length of at least \(added)",
                found: "\(maxLength)", advice: "the tokens around the text alone take \(added)")
        }
        try check(text)
        if let pair { try check(pair) }
        pool.withScratch { scratch in
            scratch.tokens.count = 0
            appendTokens(of: text, to: &scratch)
            let first = scratch.tokens.count
            if let pair { appendTokens(of: pair, to: &scratch) }
            let second = scratch.tokens.count - first
            let limit = maxLength.map { $0 - added } ?? Int.max
            let kept = truncatedCounts(first, pair == nil ? nil : second, limit: limit)
            encoding.removeAll(reserving: kept.first + kept.second + added)
            encoding.wasTruncated = kept.first < first || kept.second < second
            let tokens = UnsafePointer(scratch.tokens.base)
            for item in template {
                switch item.content {
                case .first: encoding.append(tokens, kept.first, type: item.typeID)
                case .second: encoding.append(tokens + first, kept.second, type: item.typeID)
                case .token:
                    guard let id = item.id else { preconditionFailure("a template's token has no id") }
                    encoding.ids.append(id)
                    encoding.typeIDs.append(item.typeID)
                    encoding.offsets.append(0..<0)
                }
            }
        }
    }

    private func check(_ text: UnsafeBufferPointer<UInt8>) throws {
        if text.count > Int(Int32.max) / 4 {
            throw TokenizerError(
                .inputTooLong, "encoding a text", expected: "at most \(Int32.max / 4) bytes", found: "\(text.count)")
        }
        if let place = UTF8Validation.firstInvalid(in: text) {
            throw TokenizerError(
                .invalidUTF8, "encoding a text", expected: "UTF-8",
                found: "byte 0x\(String(text[place], radix: 16)) at offset \(place)")
        }
    }

    private func appendTokens(of text: UnsafeBufferPointer<UInt8>, to scratch: inout EncodingScratch) {
        rawMatcher.split(text) { gap in
            appendGap(UnsafeBufferPointer(rebasing: text[gap]), base: gap.lowerBound, to: &scratch)
        } match: { match in
            let place = trimmed(match.range, of: text)
            scratch.tokens.append(
                PlacedToken(id: match.id, start: Int32(place.lowerBound), end: Int32(place.upperBound)))
        }
    }

    private func appendGap(_ piece: UnsafeBufferPointer<UInt8>, base: Int, to scratch: inout EncodingScratch) {
        guard !normalizedMatcher.isEmpty else { return engine.append(piece, base: base, to: &scratch) }
        guard engine.normalize(piece, base: base, into: &scratch) else {
            return normalizedMatcher.split(piece) { gap in
                engine.append(
                    UnsafeBufferPointer(rebasing: piece[gap]), base: base + gap.lowerBound, to: &scratch)
            } match: { match in
                let place = trimmed(match.range, of: piece, base: base)
                scratch.tokens.append(
                    PlacedToken(
                        id: match.id, start: Int32(base + place.lowerBound), end: Int32(base + place.upperBound)))
            }
        }
        let text = UnsafeBufferPointer(start: UnsafePointer(scratch.text.base), count: scratch.text.count)
        normalizedMatcher.split(text) { gap in
            engine.appendNormalized(gap, of: &scratch)
        } match: { match in
            let origins = scratch.origins.base
            scratch.tokens.append(
                PlacedToken(
                    id: match.id, start: origins[match.range.lowerBound].start,
                    end: origins[match.range.upperBound - 1].end))
        }
    }

    /// Where offsets leave out spaces they do so for added tokens that swallowed some, too.
    ///
    /// As for other tokens a single one at the start of the whole text stays where spaces are added.
    private func trimmed(_ range: Range<Int>, of text: UnsafeBufferPointer<UInt8>, base: Int = 0) -> Range<Int> {
        guard specification.kind == .byteLevelBPE, specification.trimsOffsets else { return range }
        let tables = UnicodeTables.shared
        var (start, end) = (range.lowerBound, range.upperBound)
        var leading = 0
        while start < end {
            let (code, length) = UTF8Text.decode(text.baseAddress!, start)
            guard tables[code].contains(.space) else { break }
            start += length
            leading += 1
        }
        if leading == 1 && base + range.lowerBound == 0 && specification.addsPrefixSpace { start = range.lowerBound }
        while end > start {
            let (code, length) = UTF8Text.decode(text.baseAddress!, endingAt: end)
            guard tables[code].contains(.space) else { break }
            end -= length
        }
        return start..<end
    }
}

extension Encoding {
    fileprivate mutating func append(_ tokens: UnsafePointer<PlacedToken>, _ count: Int, type: UInt8) {
        for index in 0..<count {
            ids.append(tokens[index].id)
            offsets.append(Int(tokens[index].start)..<Int(tokens[index].end))
        }
        typeIDs.append(contentsOf: repeatElement(type, count: count))
    }
}
