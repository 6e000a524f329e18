/// One moment of progress as text.
struct ProgressLine: Hashable, Sendable {
    var title: String
    /// 0 to 1.
    var fraction: Double
    /// The most important first: a narrow terminal loses the last ones.
    var fields: [String]

    private static let shortestBar = 8
    private static let longestBar = 30

    /// A bar with its fields in at most `columns` columns.
    func drawn(columns: Int, hasColor: Bool) -> String {
        let percent = TextTable.padded("\(Int(min(1, max(0, fraction)) * 100)) %", to: 5, .right)
        var shown = fields
        func rest() -> String { shown.map { "  " + $0 }.joined() }
        // Title, two spaces, bar, space, percentage; the last column stays free, where some terminals wrap.
        func room() -> Int { columns - 1 - title.count - 2 - 1 - percent.count - rest().count }
        while room() < Self.shortestBar, !shown.isEmpty { shown.removeLast() }
        let width = min(Self.longestBar, room())
        guard width >= Self.shortestBar else { return String((title + " " + percent).prefix(max(0, columns - 1))) }
        let filled = Int((min(1, max(0, fraction)) * Double(width)).rounded(.down))
        let done = String(repeating: "━", count: filled), open = String(repeating: "─", count: width - filled)
        let bar = hasColor ? "\u{1b}[32m\(done)\u{1b}[2;39m\(open)\u{1b}[0m" : done + open
        return "\(title)  \(bar) \(percent)\(rest())"
    }

    /// A line for a log file.
    var plain: String { "\(title): \(Int(fraction * 100)) %" + fields.map { ", " + $0 }.joined() }
}
