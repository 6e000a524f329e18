/// One tensor as a safetensors header describes it.
public struct SafeTensorInfo: Hashable, Sendable {
    public let name: String
    public let type: SafeTensorsType
    public let shape: [Int]
    /// Bytes, counted from the start of the data, which follows the header.
    public let range: Range<Int>

    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }
    public var byteCount: Int { range.count }
}
