import ArgumentParser

/// A number of bytes as people type it: `500M`, `1.5G`, `20GiB`, `1000000`. The units are powers of 1,024.
struct ByteCount: ExpressibleByArgument, Hashable {
    let count: Int

    init?(argument: String) {
        let digits = argument.prefix { $0.isNumber || $0 == "." }
        let units = ["": 0, "K": 1, "M": 2, "G": 3, "T": 4]
        var unit = argument.dropFirst(digits.count).uppercased()
        if unit.hasSuffix("IB") { unit.removeLast(2) } else if unit.hasSuffix("B") { unit.removeLast() }
        guard let value = Double(digits), value >= 0, let power = units[unit] else { return nil }
        let bytes = value * Double(1 << (10 * power))
        guard bytes < 0x1p62 else { return nil }
        count = Int(bytes)
    }
}
