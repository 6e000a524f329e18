/// One moment of progress as text.
struct ProgressLine: Hashable, Sendable {
    var title: String
    /// 0 to 1.
    var fraction: Double
    /// The most important first: a narrow terminal loses the last ones.
    var fields: [String]

    private static let barLengths = 8...30

    /// A bar with its fields in at most `columns` columns. The bar's length depends on the terminal alone, so that it
    /// stands still.
    func drawn(columns: Int, hasColor: Bool) -> String {
        let percent = TextTable.padded("\(Int(min(1, max(0, fraction)) * 100)) %", to: 5, .right)
        // The last column stays free: some terminals wrap there.
        let width = min(Self.barLengths.upperBound, max(Self.barLengths.lowerBound, columns / 4))
        let room = columns - 1 - title.count - 2 - width - 1 - percent.count
        guard room >= 0 else { return String((title + " " + percent).prefix(max(0, columns - 1))) }
        var shown = fields
        func rest() -> String { shown.map { "  " + $0 }.joined() }
        while rest().count > room { shown.removeLast() }
        let filled = Int((min(1, max(0, fraction)) * Double(width)).rounded(.down))
        let done = String(repeating: "━", count: filled)
        let open = String(repeating: "─", count: width - filled)
        let bar = hasColor ? "\u{1b}[32m\(done)\u{1b}[2;39m\(open)\u{1b}[0m" : done + open
        return "\(title)  \(bar) \(percent)\(rest())"
    }

    /// A line for a log file.
    var plain: String { "\(title): \(Int(fraction * 100)) %" + fields.map { ", " + $0 }.joined() }
}
