import Tensors

/// Sixteen neighbouring float32 elements, the grain of every inner loop.
///
/// Tensors start at multiples of 16 elements, so a tensor is a whole number of these; the last one may run into the gap
/// behind the tensor, which holds zeros in weights, gradient and moments alike.
public typealias Lanes = SIMD16<Float>

/// A run of elements of one tensor, small enough to stay in the nearest caches while a whole chain works on it.
public struct Chunk {
    /// Index of the tensor among those that are trained: the index into a `Measurement`.
    public let tensor: Int
    /// Whether weight decay applies to the tensor.
    public let isDecayed: Bool
    /// Length in `Lanes`.
    public let count: Int
    /// The direction so far. For the first transformation this is the gradient; it may be the memory of `output`.
    public internal(set) var input: UnsafePointer<Lanes>
    /// Where the transformation writes its direction, element for element.
    public let output: UnsafeMutablePointer<Lanes>
    /// The weights before the step.
    public let weights: UnsafePointer<Lanes>

    /// First element inside a moment's buffer, and the buffers of the transformation at work.
    let momentOffset: Int
    var momentBases: UnsafePointer<UnsafeMutablePointer<Float>>

    /// The elements of the transformation's moment `index`, in the order of its `moments`.
    @inline(__always)
    public func moment(_ index: Int) -> UnsafeMutablePointer<Lanes> {
        (momentBases[index] + momentOffset).lanes
    }
}

extension UnsafeMutablePointer<Float> {
    /// The same memory in `Lanes`; the pointer is aligned to 64 bytes.
    @inline(__always)
    var lanes: UnsafeMutablePointer<Lanes> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: Lanes.self)
    }
}
