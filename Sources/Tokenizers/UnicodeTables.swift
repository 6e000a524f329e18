import Foundation

/// What the reference library knows about each code point.
///
/// Its own tables, probed over all code points, because they mix several versions of Unicode and neither Swift's
/// nor the system's agree with them everywhere.
struct UnicodeTables: Sendable {
    struct Class: OptionSet, Sendable {
        let rawValue: UInt16
        static let removed = Class(rawValue: 1 << 0)
        static let chinese = Class(rawValue: 1 << 1)
        static let mark = Class(rawValue: 1 << 2)
        static let space = Class(rawValue: 1 << 3)
        static let punctuation = Class(rawValue: 1 << 4)
        static let letter = Class(rawValue: 1 << 5)
        static let number = Class(rawValue: 1 << 6)
        static let word = Class(rawValue: 1 << 7)
        /// Has a decomposition in `decompositions`.
        static let decomposes = Class(rawValue: 1 << 8)
        /// Has a mapping in `lowercase`.
        static let lowers = Class(rawValue: 1 << 9)
        /// Has a canonical combining class other than 0.
        static let combines = Class(rawValue: 1 << 10)
        static let hangul = Class(rawValue: 1 << 11)
    }

    static let shared = UnicodeTables()

    let classes: StagedTable<UInt16>
    let decompositions: [UInt32: [UInt32]]
    let lowercase: [UInt32: [UInt32]]
    let combiningClasses: [UInt32: UInt8]

    private init() {
        var flat = [UInt16](repeating: 0, count: 0x110000)
        func mark(_ text: String, _ bit: Class) {
            var position = 0
            var isInside = false
            for length in Self.numbers(text) {
                if isInside {
                    for code in position..<position + length { flat[code] |= bit.rawValue }
                }
                position += length
                isInside.toggle()
            }
        }
        mark(UnicodeData.removed, .removed)
        mark(UnicodeData.chinese, .chinese)
        mark(UnicodeData.mark, .mark)
        mark(UnicodeData.space, .space)
        mark(UnicodeData.punctuation, .punctuation)
        mark(UnicodeData.letter, .letter)
        mark(UnicodeData.number, .number)
        mark(UnicodeData.word, .word)
        for code in 0xAC00..<0xAC00 + 11172 { flat[code] |= Class.hangul.rawValue }
        decompositions = Self.mappings(UnicodeData.decompositions)
        for code in decompositions.keys { flat[Int(code)] |= Class.decomposes.rawValue }
        lowercase = Self.mappings(UnicodeData.lowercase)
        for code in lowercase.keys { flat[Int(code)] |= Class.lowers.rawValue }
        var combining: [UInt32: UInt8] = [:]
        var key: UInt32 = 0
        let numbers = Self.numbers(UnicodeData.combiningClasses)
        for index in stride(from: 0, to: numbers.count, by: 2) {
            key += UInt32(numbers[index])
            combining[key] = UInt8(numbers[index + 1])
            flat[Int(key)] |= Class.combines.rawValue
        }
        combiningClasses = combining
        classes = StagedTable(flat)
    }

    @inline(__always)
    subscript(code: UInt32) -> Class { Class(rawValue: classes[code]) }

    /// The canonical decomposition of one character, itself if it has none.
    func decomposition(_ code: UInt32) -> [UInt32] {
        let found = self[code]
        if found.contains(.decomposes) { return decompositions[code]! }
        guard found.contains(.hangul) else { return [code] }
        let index = code - 0xAC00
        let parts = [0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11A7 + index % 28]
        return index % 28 == 0 ? Array(parts[..<2]) : parts
    }

    private static func numbers(_ text: String) -> [Int] {
        guard let data = Data(base64Encoded: text) else { preconditionFailure("a generated table is not base64") }
        var numbers: [Int] = []
        var number = 0
        var shift = 0
        for byte in data {
            number |= Int(byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 {
                numbers.append(number)
                number = 0
                shift = 0
            }
        }
        return numbers
    }

    private static func mappings(_ text: String) -> [UInt32: [UInt32]] {
        var found: [UInt32: [UInt32]] = [:]
        var numbers = Self.numbers(text)[...]
        var key = 0
        while let distance = numbers.popFirst() {
            key += distance
            var value = key
            found[UInt32(key)] = numbers.prefix(1 + numbers.first!).dropFirst().map { number in
                value += number % 2 == 0 ? number / 2 : -(number + 1) / 2
                return UInt32(value)
            }
            numbers.removeFirst(1 + numbers.first!)
        }
        return found
    }
}

/// A value per code point in two stages: equal blocks of 128 are stored once.
///
/// Immutable after `init`; the memory lives as long as the table's owner, which is why it is a class.
final class StagedTable<Value: BitwiseCopyable & Hashable>: @unchecked Sendable {
    private let blockOfIndex: UnsafeMutablePointer<UInt16>
    private let values: UnsafeMutablePointer<Value>
    let blockCount: Int

    init(_ flat: [Value]) {
        precondition(flat.count == 0x110000)
        var known: [[Value]: UInt16] = [:]
        var blocks: [Value] = []
        blockOfIndex = .allocate(capacity: 0x110000 >> 7)
        for block in 0..<0x110000 >> 7 {
            let part = Array(flat[block << 7..<(block + 1) << 7])
            let index = known[part] ?? UInt16(known.count)
            if Int(index) == known.count {
                known[part] = index
                blocks += part
            }
            blockOfIndex[block] = index
        }
        blockCount = known.count
        values = .allocate(capacity: blocks.count)
        values.initialize(from: blocks, count: blocks.count)
    }

    deinit {
        blockOfIndex.deallocate()
        values.deallocate()
    }

    /// `code` is a scalar value: at most 0x10FFFF.
    @inline(__always)
    subscript(code: UInt32) -> Value {
        values[Int(blockOfIndex[Int(code >> 7)]) << 7 + Int(code & 0x7F)]
    }
}
