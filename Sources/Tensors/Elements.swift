/// Where an array of activations lies in memory, and whether as `Scalar` or as bfloat16.
///
/// What only products, attention and the activation between products read is kept as bfloat16 where the backend multiplies that
/// anyway, see `Backend.keepsBF16`: half the memory, half the traffic.
public struct Elements<Scalar> {
    public let address: UnsafeMutableRawPointer
    public let isBF16: Bool

    public init(_ pointer: UnsafePointer<Scalar>) { self.init(UnsafeMutablePointer(mutating: pointer)) }

    public init(_ pointer: UnsafeMutablePointer<Scalar>) { self.init(address: UnsafeMutableRawPointer(pointer), isBF16: false) }

    public init(address: UnsafeMutableRawPointer, isBF16: Bool) {
        self.address = address
        self.isBF16 = isBF16
    }

    /// The array from an element on.
    public static func + (elements: Elements, count: Int) -> Elements {
        let stride = elements.isBF16 ? MemoryLayout<UInt16>.stride : MemoryLayout<Scalar>.stride
        return Elements(address: elements.address + count * stride, isBF16: elements.isBF16)
    }

    /// The array as scalars, which it must be.
    public var scalars: UnsafeMutablePointer<Scalar> {
        precondition(!isBF16, "these elements are bfloat16")
        return address.assumingMemoryBound(to: Scalar.self)
    }
}
