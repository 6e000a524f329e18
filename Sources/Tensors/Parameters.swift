#if canImport(Glibc)
import Glibc
#endif

/// One flat float32 buffer and the layout that names its parts: weights, gradients and optimizer moments are all this.
///
/// A handle to shared memory: assigning it shares, `copy()` copies.
public final class Parameters {
    public let layout: ParameterLayout
    public let buffer: Buffer

    /// Zeroed parameters of a layout.
    public init(layout: ParameterLayout) {
        self.layout = layout
        buffer = Buffer(byteCount: layout.count * MemoryLayout<Float>.stride)
    }

    /// The flat buffer, `layout.count` elements, gaps included.
    public var pointer: UnsafeMutablePointer<Float> {
        buffer.pointer.assumingMemoryBound(to: Float.self)
    }

    public var count: Int { layout.count }

    /// The elements of one tensor, row-major. An unknown name is a programming error.
    public subscript(name: String) -> UnsafeMutableBufferPointer<Float> {
        guard let entry = layout[name] else { preconditionFailure("no parameter is named \(name)") }
        return self[entry]
    }

    public subscript(entry: ParameterLayout.Entry) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: pointer + entry.offset, count: entry.count)
    }

    public func fill(_ value: Float) {
        // The gaps between tensors stay zero, so that sums over the flat buffer are sums over the tensors.
        for entry in layout.entries { self[entry].update(repeating: value) }
    }

    /// The first element that is a NaN or an infinity, in the layout's order.
    public var firstNotFinite: (tensor: String, element: Int, value: Float)? {
        for entry in layout.entries {
            if let element = self[entry].firstIndex(where: { !$0.isFinite }) { return (entry.name, element, self[entry][element]) }
        }
        return nil
    }

    public func copy() -> Parameters {
        let other = Parameters(layout: layout)
        other.assign(from: self)
        return other
    }

    /// Overwrites every element with that of `other`, which has the same layout.
    public func assign(from other: Parameters) {
        precondition(other.layout.count == layout.count)
        memcpy(buffer.pointer, other.buffer.pointer, buffer.byteCount)
    }
}
