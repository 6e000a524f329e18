import Foundation

/// Numbers as people read them.
enum NumberText {
    /// `1,234,567`.
    static func count(_ value: Int) -> String {
        let digits = String(value.magnitude)
        var text = ""
        for (place, digit) in digits.enumerated() {
            if place > 0, (digits.count - place) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return (value < 0 ? "-" : "") + text
    }

    /// `1 thread`, `2 threads`.
    static func threads(_ value: Int) -> String { value == 1 ? "1 thread" : "\(count(value)) threads" }

    static func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

    /// A metric, or that it is undefined.
    static func metric(_ value: Double?) -> String { value.map { fixed($0, 4) } ?? "undefined" }

    /// `12.3 %`.
    static func percent(_ part: Int, of whole: Int) -> String {
        whole == 0 ? "0.0 %" : fixed(100 * Double(part) / Double(whole), 1) + " %"
    }

    /// Three digits or a whole number: `0.0123`, `12.3`, `4,567`.
    static func rate(_ value: Double) -> String {
        guard value.isFinite else { return "?" }
        return value >= 100 ? count(Int(value.rounded())) : String(format: "%.3g", value)
    }

    /// `1.2 GiB`.
    static func bytes(_ value: Int) -> String {
        let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
        var amount = Double(value)
        var unit = 0
        while amount >= 1024, unit < units.count - 1 {
            amount /= 1024
            unit += 1
        }
        return unit == 0
            ? "\(value) bytes" : "\(amount < 10 ? fixed(amount, 1) : count(Int(amount.rounded()))) \(units[unit])"
    }

    /// `0.8 s`, `42 s`, `3:07`, `2:03:04`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "?" }
        if seconds < 9.95 { return fixed(seconds, 1) + " s" }
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole) s" }
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return whole < 3600
            ? "\(whole / 60):\(two(whole % 60))" : "\(whole / 3600):\(two(whole / 60 % 60)):\(two(whole % 60))"
    }

    /// `2025-01-31 17:05`, in local time.
    static func moment(_ date: Date) -> String {
        var seconds = time_t(date.timeIntervalSince1970)
        var parts = tm()
        localtime_r(&seconds, &parts)
        func digits(_ value: Int32, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        return "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2)) "
            + "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2))"
    }
}
