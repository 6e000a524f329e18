import Foundation

/// Turns what a file says into labels of a task, compared byte for byte.
struct LabelReader {
    private let kind: TaskDefinition.Kind
    private let indices: [[UInt8]: Int]
    private let expected: String

    init(_ definition: TaskDefinition) {
        kind = definition.kind
        indices = Dictionary(
            uniqueKeysWithValues: definition.codes.enumerated().map { (Array($0.element.utf8), $0.offset) })
        let shown = definition.codes.prefix(10).map { "\"\(FormatError.printable($0))\"" }.joined(separator: ", ")
        let rest = definition.codes.count - 10
        expected = rest > 0 ? "\(shown) and \(rest) more" : shown
    }

    /// Where a label stands, for messages.
    struct Place {
        let file: String
        let line: Int
        let column: String
    }

    func label(_ text: String, at place: Place) throws -> Example.Label {
        switch kind {
        case .classification: return .classIndex(try index(text, at: place))
        case .multiLabel: return .labelSet([try index(text, at: place)])
        case .regression(let range): return .value(try Self.number(text, range, at: place))
        }
    }

    /// A set of labels; none may stand twice.
    func labelSet(_ names: [String], at place: Place) throws -> Example.Label {
        var set: [Int] = []
        for name in names {
            let index = try index(name, at: place)
            guard !set.contains(index) else {
                throw FormatError(
                    .duplicateLabel, file: place.file, line: place.line, column: place.column,
                    "a label stands twice in one example", found: "\"\(name)\"")
            }
            set.append(index)
        }
        return .labelSet(set.sorted())
    }

    func index(_ name: String, at place: Place) throws -> Int {
        guard let index = indices[Array(name.utf8)] else {
            throw FormatError(
                .unknownLabel, file: place.file, line: place.line, column: place.column,
                "the label is not one of the task's", expected: expected, found: "\"\(name)\"")
        }
        return index
    }

    /// A finite decimal number.
    static func number(_ text: String, _ range: ClosedRange<Double>?, at place: Place) throws -> Double {
        // Double's own parser also takes hexadecimal digits, "nan" and "inf".
        let isDecimal =
            !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
                    UInt8(ascii: "e"), UInt8(ascii: "E"):
                    true
                default: false
                }
            }
        guard isDecimal, let value = Double(text), Float(value).isFinite else {
            throw FormatError(
                .invalidNumber, file: place.file, line: place.line, column: place.column,
                "the value is not a finite decimal number that float32 holds", found: "\"\(text)\"")
        }
        if let range, !range.contains(value) {
            throw FormatError(
                .numberOutOfRange, file: place.file, line: place.line, column: place.column,
                "the value is outside the task's range", expected: "\(range.lowerBound) to \(range.upperBound)",
                found: text)
        }
        return value
    }
}
