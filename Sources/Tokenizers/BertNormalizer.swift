/// BERT's normaliser: cleaning, Chinese characters set apart, accents stripped, lower-casing, in this order.
///
/// Each character maps to a fixed text, so all four steps are one table look-up. The exception is the order of
/// combining marks: canonical decomposition sorts them, which matters only where a mark survives the stripping.
/// Texts with such a mark take `appendInSteps`.
struct BertNormalizer: Sendable {
    /// What a character becomes: itself, or `place` - 1 and `length` of its text in the pool.
    private enum Action {
        static let keep: UInt32 = 0
        /// The marks around the character need sorting.
        static let sorts: UInt32 = 1 << 31
        /// Spaces stand before and after.
        static let spaced: UInt32 = 1 << 30

        static func text(at place: Int, length: Int) -> UInt32 { UInt32(place + 1) << 8 | UInt32(length) }
    }

    let options: TokenizerSpecification.Normalization
    private let tables = UnicodeTables.shared
    private let actions: StagedTable<UInt32>
    private let pool: [UInt8]
    /// Added to upper-case ASCII letters.
    let asciiShift: UInt8

    init(_ options: TokenizerSpecification.Normalization) {
        self.options = options
        asciiShift = options.lowercases ? 32 : 0
        let tables = UnicodeTables.shared
        let strips = options.stripsAccents ?? options.lowercases
        var relevant: UnicodeTables.Class = []
        if options.cleansText { relevant.formUnion([.removed, .space]) }
        if options.separatesChinese { relevant.insert(.chinese) }
        if strips { relevant.formUnion([.mark, .decomposes, .hangul, .combines]) }
        if options.lowercases { relevant.insert(.lowers) }
        var pool: [UInt8] = [0x20]
        var actions = [UInt32](repeating: Action.keep, count: 0x110000)
        for code in 0..<UInt32(0x110000) {
            let found = tables[code]
            guard !found.isDisjoint(with: relevant) else { continue }
            if options.cleansText && !found.isDisjoint(with: [.removed, .space]) {
                actions[Int(code)] = Action.text(at: 0, length: found.contains(.removed) ? 0 : 1)
                continue
            }
            var action = Action.keep
            if !found.isDisjoint(with: relevant.subtracting(.chinese)) {
                let place = pool.count
                for code in Self.scalars(for: code, lowercases: options.lowercases, strips: strips, tables) {
                    UTF8Text.append(code, to: &pool)
                }
                action = Action.text(at: place, length: pool.count - place)
                if strips && Self.sorts(code, tables) { action |= Action.sorts }
            }
            if options.separatesChinese && found.contains(.chinese) { action |= Action.spaced }
            actions[Int(code)] = action
        }
        precondition(pool.count < 1 << 22)
        self.pool = pool
        self.actions = StagedTable(actions)
    }

    /// What one character becomes by itself when its accents are stripped and it is lower-cased.
    private static func scalars(
        for code: UInt32, lowercases: Bool, strips: Bool, _ tables: UnicodeTables
    ) -> [UInt32] {
        let scalars = strips ? tables.decomposition(code).filter { !tables[$0].contains(.mark) } : [code]
        return lowercases ? scalars.flatMap { tables.lowercase[$0] ?? [$0] } : scalars
    }

    /// Whether a mark in the character's decomposition both sorts and survives.
    private static func sorts(_ code: UInt32, _ tables: UnicodeTables) -> Bool {
        tables.decomposition(code).contains { tables[$0].contains(.combines) && !tables[$0].contains(.mark) }
    }

    /// Whether each byte becomes one byte and none is dropped; then `scratch.text` holds the text lower-cased.
    ///
    /// White space stays what it is: the caller splits at it in any form.
    func copyPlainASCII(_ piece: UnsafeBufferPointer<UInt8>, into scratch: inout EncodingScratch) -> Bool {
        scratch.text.count = 0
        scratch.text.reserve(piece.count)
        let out = scratch.text.base
        let shift = asciiShift
        var isPlain: UInt8 = 1
        for index in 0..<piece.count {
            let byte = piece[index]
            let isSpace: UInt8 = (byte == 9 ? 1 : 0) | (byte == 10 ? 1 : 0) | (byte == 13 ? 1 : 0)
            isPlain &= (byte &- 0x20 < 0x5F ? 1 : 0) | isSpace
            out[index] = byte &+ (byte &- 65 < 26 ? shift : 0)
        }
        scratch.text.count = piece.count
        return isPlain == 1
    }

    /// Normalises into `scratch.text`, with the place in the whole text of each byte's character in `scratch.origins`.
    ///
    /// - Parameter base: where the piece starts in the whole text.
    func normalize(_ piece: UnsafeBufferPointer<UInt8>, base: Int, into scratch: inout EncodingScratch) {
        scratch.text.count = 0
        scratch.origins.count = 0
        guard let bytes = piece.baseAddress else { return }
        var needsSorting: UInt32 = 0
        pool.withUnsafeBufferPointer { pool in
            var index = 0
            while index < piece.count {
                let (code, length) = UTF8Text.decode(bytes, index)
                let action = actions[code]
                needsSorting |= action
                let origin = EncodingScratch.Origin(start: Int32(base + index), end: Int32(base + index + length))
                let text = action & ~(Action.sorts | Action.spaced)
                let (source, count): (UnsafePointer<UInt8>, Int) =
                    text == Action.keep
                    ? (bytes + index, length) : (pool.baseAddress! + Int(text >> 8) - 1, Int(text & 0xFF))
                scratch.text.reserve(count + 2)
                scratch.origins.reserve(count + 2)
                func append(_ byte: UInt8) {
                    scratch.text.appendReserved(byte)
                    scratch.origins.appendReserved(origin)
                }
                if action & Action.spaced != 0 { append(0x20) }
                for offset in 0..<count { append(source[offset]) }
                if action & Action.spaced != 0 { append(0x20) }
                index += length
            }
        }
        if needsSorting & Action.sorts != 0 { normalizeInSteps(piece, base: base, into: &scratch) }
    }

    private struct Part {
        var code: UInt32
        /// Not the first of its character's decomposition.
        var isAddition: Bool
    }

    /// The same one step after the other, marks sorted.
    ///
    /// As in the reference the places stay in the order of the text while marks move: the first part of a decomposition
    /// takes the next place, wherever it was sorted to, and an addition the place before.
    private func normalizeInSteps(
        _ piece: UnsafeBufferPointer<UInt8>, base: Int, into scratch: inout EncodingScratch
    ) {
        var parts: [Part] = []
        var places: [EncodingScratch.Origin] = []
        var index = 0
        while index < piece.count {
            let (code, length) = UTF8Text.decode(piece.baseAddress!, index)
            let origin = EncodingScratch.Origin(start: Int32(base + index), end: Int32(base + index + length))
            index += length
            let found = tables[code]
            if options.cleansText && found.contains(.removed) { continue }
            let cleaned = options.cleansText && found.contains(.space) ? 0x20 : code
            for code in options.separatesChinese && found.contains(.chinese) ? [0x20, cleaned, 0x20] : [cleaned] {
                places.append(origin)
                for (offset, code) in tables.decomposition(code).enumerated() {
                    parts.append(Part(code: code, isAddition: offset > 0))
                }
            }
        }
        sortMarks(&parts)
        scratch.text.count = 0
        scratch.origins.count = 0
        var next = 0
        for part in parts {
            if !part.isAddition { next += 1 }
            let origin = next == 0 ? .init(start: Int32(base), end: Int32(base)) : places[next - 1]
            if tables[part.code].contains(.mark) { continue }
            var text: [UInt8] = []
            for code in options.lowercases ? tables.lowercase[part.code] ?? [part.code] : [part.code] {
                UTF8Text.append(code, to: &text)
            }
            for byte in text {
                scratch.text.append(byte)
                scratch.origins.append(origin)
            }
        }
    }

    /// Canonical ordering: within each run of combining characters a stable sort by class.
    private func sortMarks(_ parts: inout [Part]) {
        var start = 0
        while start < parts.count {
            guard tables[parts[start].code].contains(.combines) else {
                start += 1
                continue
            }
            var end = start
            while end < parts.count, tables[parts[end].code].contains(.combines) { end += 1 }
            let sorted = parts[start..<end].enumerated().sorted { left, right in
                let first = tables.combiningClasses[left.element.code]!
                let second = tables.combiningClasses[right.element.code]!
                return (first, left.offset) < (second, right.offset)
            }
            parts.replaceSubrange(start..<end, with: sorted.map(\.element))
            start = end
        }
    }
}
