/// Columns of text that stand straight.
struct TextTable {
    enum Alignment { case left, right }

    private let alignments: [Alignment]
    private let indentation: Int
    private var rows: [[String]] = []

    init(_ alignments: [Alignment], indentation: Int = 2) {
        self.alignments = alignments
        self.indentation = indentation
    }

    mutating func add(_ cells: String...) { add(cells) }

    mutating func add(_ cells: [String]) {
        precondition(cells.count == alignments.count, "a cell for each column")
        rows.append(cells)
    }

    /// Whole lines; nothing for a table without rows.
    var text: String {
        let widths = alignments.indices.map { column in rows.reduce(0) { max($0, $1[column].count) } }
        return rows.map { row in
            let cells = row.indices.map { Self.padded(row[$0], to: widths[$0], alignments[$0]) }
            var line = String(repeating: " ", count: indentation) + cells.joined(separator: "   ")
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    static func padded(_ text: String, to width: Int, _ alignment: Alignment) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return alignment == .left ? text + space : space + text
    }

    /// Names and values, one pair a line.
    static func facts(_ pairs: [(String, String)]) -> String {
        var table = TextTable([.left, .left])
        for (name, value) in pairs { table.add(name, value) }
        return table.text
    }
}
