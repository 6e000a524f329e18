/// The difference of a floating-point tensor to another one of the same length, such as of adapted weights to those
/// they started from.
///
/// Differences are taken between the elements' places in the order of all numbers, so that any bit pattern comes back.
/// They are coded like the planes of ``PlanesCodec``, in classes by row and by the base's exponent: a step of a given
/// size moves a small weight over more places than a large one. <doc:Format> has every byte.
struct DeltaCodec: DeltaBlobCodec {
    static let identifier: UInt16 = 3
    static let name = "delta"

    let layout: TensorLayout

    init(layout: TensorLayout) {
        precondition(layout.kind.isFloatingPoint)
        self.layout = layout
    }

    var parameters: UInt32 { layout.parameters }

    init?(parameters: UInt32) {
        guard let layout = TensorLayout(parameters: parameters), layout.kind.isFloatingPoint else { return nil }
        self.init(layout: layout)
    }

    func makeEncoder(effort: Effort, base: UnsafeRawBufferPointer) throws -> any BlobEncoder {
        TensorEncoder(layout: layout, effort: effort, base: base)
    }

    func decode(
        _ source: EncodedSource, plainByteCount: Int, window: UnsafeMutableRawBufferPointer,
        base: BaseSource, emit: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var decoder = TensorDecoder(layout: layout, isDelta: true, source, plainByteCount, window)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, decoder.groupByteCount), alignment: 64)
        defer { buffer.deallocate() }
        var filled = 0
        try base.read { portion in
            var rest = portion
            while rest.count > 0 {
                guard !decoder.isDone else { throw source.damage("a base of \(plainByteCount) bytes", "a longer one") }
                let wanted = decoder.nextByteCount
                if filled == 0, rest.count >= wanted {
                    try decoder.step(base: UnsafeRawBufferPointer(rebasing: rest[..<wanted]), emit: emit)
                    rest = UnsafeRawBufferPointer(rebasing: rest[wanted...])
                    continue
                }
                let count = min(wanted - filled, rest.count)
                UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
                filled += count
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                guard filled == wanted else { return }
                try decoder.step(base: UnsafeRawBufferPointer(rebasing: buffer[..<filled]), emit: emit)
                filled = 0
            }
        }
        guard decoder.isDone else { throw source.damage("a base of \(plainByteCount) bytes", "a shorter one") }
        try decoder.finish()
    }
}
