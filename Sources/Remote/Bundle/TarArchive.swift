import Foundation
import Store

/// The little of tar (POSIX ustar) that a bundle needs: regular files with short names, one after another.
enum TarArchive {
    static let blockByteCount = 512

    static func padding(_ byteCount: Int) -> Int { (blockByteCount - byteCount % blockByteCount) % blockByteCount }

    /// A member's header. All facts but name and size are constants, so that equal content makes equal bytes.
    static func header(_ name: String, size: Int) -> [UInt8] {
        precondition(name.utf8.count <= 100, "a name that fits")
        var block = [UInt8](repeating: 0, count: blockByteCount)
        func put(_ text: String, at offset: Int) { block.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8) }
        func octal(_ value: Int, digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: digits - text.count) + text
        }
        put(name, at: 0)
        put("0000644", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        if size < 1 << 33 {
            put(octal(size, digits: 11), at: 124)
        } else {
            // Larger ones are binary with the highest bit set, as GNU tar and libarchive write them.
            block[124] = 0x80
            for place in 0..<8 { block[128 + place] = UInt8(truncatingIfNeeded: size >> (56 - 8 * place)) }
        }
        put("00000000000", at: 136)
        put("        ", at: 148)
        block[156] = UInt8(ascii: "0")
        put("ustar", at: 257)
        put("00", at: 263)
        put(octal(block.reduce(0) { $0 + Int($1) }, digits: 6), at: 148)
        block[154] = 0
        return block
    }

    /// Name and size of a member; nil for a block of zeros, which ends an archive.
    ///
    /// - Throws: a text that says what is wrong.
    static func parse(_ block: [UInt8]) throws -> (name: String, size: Int, isFile: Bool)? {
        if block.allSatisfy({ $0 == 0 }) { return nil }
        var sum = block.reduce(0) { $0 + Int($1) }
        for byte in block[148..<156] { sum += 0x20 - Int(byte) }
        guard octal(block[148..<156]) == sum else { throw Fault(description: "a header with a wrong checksum") }
        let size: Int?
        if block[124] & 0x80 != 0 {
            let bytes = block[125..<136].drop { $0 == 0 }
            size = bytes.count > 7 ? nil : bytes.reduce(0) { $0 << 8 | Int($1) }
        } else {
            size = octal(block[124..<136])
        }
        guard let size else { throw Fault(description: "a member of unreadable size") }
        var name = String(decoding: block[0..<100].prefix { $0 != 0 }, as: UTF8.self)
        if name.hasPrefix("./") { name.removeFirst(2) }
        return (name, size, [0, UInt8(ascii: "0")].contains(block[156]))
    }

    struct Fault: Error, CustomStringConvertible { let description: String }

    private static func octal(_ field: ArraySlice<UInt8>) -> Int? {
        let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
        guard !digits.isEmpty else { return 0 }
        return Int(String(decoding: digits, as: UTF8.self), radix: 8).flatMap { $0 >= 0 ? $0 : nil }
    }
}
