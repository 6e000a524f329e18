import Foundation

/// The work space for one block of the planes and delta codecs; used by one thread at a time.
///
/// Each width has a case of its own, so that the compiler makes code for that width.
enum TensorBlock {
    case width1(TypedTensorBlock<UInt8>)
    case width2(TypedTensorBlock<UInt16>)
    case width4(TypedTensorBlock<UInt32>)
    case width8(TypedTensorBlock<UInt64>)

    init(_ layout: TensorLayout, isDelta: Bool) {
        switch layout.kind.width {
        case 1: self = .width1(TypedTensorBlock(layout, isDelta: isDelta))
        case 2: self = .width2(TypedTensorBlock(layout, isDelta: isDelta))
        case 4: self = .width4(TypedTensorBlock(layout, isDelta: isDelta))
        default: self = .width8(TypedTensorBlock(layout, isDelta: isDelta))
        }
    }

    /// What went wrong on the worker's thread.
    var fault: String? {
        switch self {
        case .width1(let block): block.fault
        case .width2(let block): block.fault
        case .width4(let block): block.fault
        case .width8(let block): block.fault
        }
    }

    /// Encodes a block; `base` is as long as `plain` for a delta and empty otherwise.
    func encode(_ plain: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer, effort: Effort) {
        switch self {
        case .width1(let block): block.encode(plain, base: base, effort: effort)
        case .width2(let block): block.encode(plain, base: base, effort: effort)
        case .width4(let block): block.encode(plain, base: base, effort: effort)
        case .width8(let block): block.encode(plain, base: base, effort: effort)
        }
    }

    /// Hands over what `encode` made.
    func emit(_ sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        switch self {
        case .width1(let block): try block.emit(sink)
        case .width2(let block): try block.emit(sink)
        case .width4(let block): try block.emit(sink)
        case .width8(let block): try block.emit(sink)
        }
    }

    /// Takes one block's encoded bytes from `source`.
    func read(from source: EncodedSource) throws {
        switch self {
        case .width1(let block): try block.read(from: source)
        case .width2(let block): try block.read(from: source)
        case .width4(let block): try block.read(from: source)
        case .width8(let block): try block.read(from: source)
        }
    }

    /// Decodes what `read` took; sets `fault` if it is not right.
    func decode(into plain: UnsafeMutableRawBufferPointer, base: UnsafeRawBufferPointer) {
        switch self {
        case .width1(let block): block.decode(into: plain, base: base)
        case .width2(let block): block.decode(into: plain, base: base)
        case .width4(let block): block.decode(into: plain, base: base)
        case .width8(let block): block.decode(into: plain, base: base)
        }
    }
}

/// A block whose elements are handled as words of their width. <doc:Format> has every byte of the encoded form.
final class TypedTensorBlock<Word: FixedWidthInteger & UnsignedInteger> {
    static var width: Int { MemoryLayout<Word>.size }
    /// Before the first plane of a block, at most: classes, buckets, exponent, factor.
    static var headBound: Int { 2 + 2 + 8 }

    let layout: TensorLayout
    let isDelta: Bool
    let capacity: Int
    let coder = PlaneCoder()
    /// A word for each element: in the order of the elements when encoding, of the classes when decoding.
    let words: UnsafeMutablePointer<Word>
    let classed: UnsafeMutablePointer<Word>
    let planes: UnsafeMutableRawBufferPointer
    let symbols: UnsafeMutablePointer<UInt8>
    let buckets: UnsafeMutablePointer<UInt8>
    let encoded: UnsafeMutableRawBufferPointer
    var encodedCount = 0
    var fault: String?

    init(_ layout: TensorLayout, isDelta: Bool) {
        self.layout = layout
        self.isDelta = isDelta
        capacity = layout.blockByteCount / Self.width
        words = .allocate(capacity: capacity)
        classed = .allocate(capacity: capacity)
        planes = .allocate(byteCount: capacity * Self.width + 8, alignment: 64)
        symbols = .allocate(capacity: capacity)
        buckets = .allocate(capacity: capacity)
        encoded = .allocate(byteCount: Self.bound(layout) + 16, alignment: 64)
    }

    /// Whether the loops in C serve: they are for float32, in the byte order of the files.
    var isFast: Bool { layout.kind == .float32 && UInt16(1).littleEndian == 1 }

    /// Words of 32 bits as C knows them; for `isFast` only.
    func fast(_ words: UnsafeMutablePointer<Word>) -> UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(words).assumingMemoryBound(to: UInt32.self)
    }

    deinit {
        words.deallocate()
        classed.deallocate()
        planes.deallocate()
        symbols.deallocate()
        buckets.deallocate()
        encoded.deallocate()
    }

    /// No encoded block is longer than this.
    static func bound(_ layout: TensorLayout) -> Int {
        let segments = layout.blockByteCount / width / layout.segment
        let perClass = 2 + width + width * PlaneCoder.bound(0)
        return 4 + headBound + PlaneCoder.bound(segments) + 256 * perClass + layout.blockByteCount + width
    }

    /// The exponent field of an element.
    @inline(__always) func exponent(_ bits: Word) -> Int {
        Int(truncatingIfNeeded: (bits &<< 1) &>> Word(truncatingIfNeeded: layout.kind.mantissaBits &+ 1))
    }

    @inline(__always) func bucket(_ base: Word, top: Int, count: Int) -> Int {
        min(max(top &- exponent(base), 0), count &- 1)
    }

    /// What a delta expects where the base holds `base`.
    @inline(__always) func predicted(_ base: Word, _ prediction: FloatPrediction?) -> Word {
        guard let prediction else { return base }
        return Word(truncatingIfNeeded: prediction(UInt32(truncatingIfNeeded: base)))
    }

    @inline(__always) static func load(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> Word {
        Word(littleEndian: bytes.baseAddress!.loadUnaligned(fromByteOffset: index &* width, as: Word.self))
    }

    func emit(_ sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        try sink(UnsafeRawBufferPointer(rebasing: encoded[..<encodedCount]))
    }
}
