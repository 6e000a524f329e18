import Tensors
import Testing

/// An array at a fixed address between two fences of NaN: what reads past an end turns up as a NaN in the result, what
/// writes past it breaks the fence.
final class Block<Element: BinaryFloatingPoint> {
    private let fence = 64
    let count: Int
    private let base: UnsafeMutablePointer<Element>

    var pointer: UnsafeMutablePointer<Element> { base + fence }
    var elements: Elements<Element> { Elements(pointer) }

    /// `count` elements that an operation must overwrite: they start as NaN.
    init(count: Int) {
        self.count = count
        base = .allocate(capacity: count + 2 * fence)
        base.initialize(repeating: .nan, count: count + 2 * fence)
    }

    convenience init(_ values: [Float]) {
        self.init(count: values.count)
        for (i, value) in values.enumerated() { pointer[i] = Element(value) }
    }

    deinit { base.deallocate() }

    /// The elements, after a look at the fences.
    var values: [Element] {
        let outside = (0..<fence).flatMap { [base[$0], base[fence + count + $0]] }
        let isIntact = outside.allSatisfy(\.isNaN)
        #expect(isIntact, "an operation wrote outside of its array")
        return Array(UnsafeBufferPointer(start: pointer, count: count))
    }
}

/// Ends the lives of blocks here and no earlier: a pointer does not keep its block.
func keepUntilHere(_ blocks: AnyObject...) { withExtendedLifetime(blocks) {} }

/// Integers at a fixed address.
final class IndexBlock {
    let pointer: UnsafeMutablePointer<Int32>

    init(_ values: [Int32]) {
        pointer = .allocate(capacity: max(1, values.count))
        pointer.initialize(from: values, count: values.count)
    }

    deinit { pointer.deallocate() }
}
