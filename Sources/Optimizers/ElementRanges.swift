import Tensors

#if canImport(Glibc)
    import Glibc
#endif

/// Ranges of a flat buffer, cut into tasks of about equal size.
public struct ElementRanges: Sendable {
    /// Elements that a task covers at least.
    private static let taskElements = 1 << 18

    private let parts: [Range<Int>]
    private let tasks: [Range<Int>]

    init(_ ranges: [Range<Int>]) {
        var parts: [Range<Int>] = [], tasks: [Range<Int>] = [], first = 0, elements = 0
        for range in ranges {
            for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.taskElements) {
                parts.append(start..<min(start + Self.taskElements, range.upperBound))
                elements += parts[parts.count - 1].count
                guard elements >= Self.taskElements else { continue }
                tasks.append(first..<parts.count)
                (first, elements) = (parts.count, 0)
            }
        }
        if first < parts.count { tasks.append(first..<parts.count) }
        (self.parts, self.tasks) = (parts, tasks)
    }

    /// All elements of a layout, gaps included.
    public init(allOf layout: ParameterLayout) { self.init([0..<layout.count]) }

    /// What is left of them without the elements of `others`, which ascend.
    public func subtracting(_ others: [Range<Int>]) -> ElementRanges {
        var left: [Range<Int>] = [], next = 0
        for part in parts {
            var start = part.lowerBound
            while next < others.count, others[next].lowerBound < part.upperBound {
                let other = others[next]
                if start < other.lowerBound { left.append(start..<other.lowerBound) }
                start = max(start, other.upperBound)
                guard other.upperBound <= part.upperBound else { break }
                next += 1
            }
            if start < part.upperBound { left.append(start..<part.upperBound) }
        }
        return ElementRanges(left)
    }

    /// Sets the elements to zero.
    public func clear(_ values: Parameters, parallel: Parallel) {
        let base = values.pointer
        parallel(tasks.count) { task in
            for part in parts[tasks[task]] { memset(base + part.lowerBound, 0, part.count * MemoryLayout<Float>.stride) }
        }
    }
}
