/// Byte planes of classes of rows, each plane coded by itself: for tensors, whose bytes of one significance resemble
/// one another.
///
/// Of pre-trained float32 weights only the exponents and the first bits after them have much to gain; rows that come
/// from a narrower type or are zero have more. <doc:Format> has every byte.
struct PlanesCodec: BlobCodec {
    static let identifier: UInt16 = 2
    static let name = "planes"

    let layout: TensorLayout

    init(layout: TensorLayout) { self.layout = layout }

    var parameters: UInt32 { layout.parameters }

    init?(parameters: UInt32) {
        guard let layout = TensorLayout(parameters: parameters) else { return nil }
        self.init(layout: layout)
    }

    func makeEncoder(effort: Effort) throws -> any BlobEncoder {
        TensorEncoder(layout: layout, effort: effort, base: nil)
    }

    func decode(
        _ source: EncodedSource, plainByteCount: Int, window: UnsafeMutableRawBufferPointer,
        emit: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var decoder = TensorDecoder(layout: layout, isDelta: false, source, plainByteCount, window)
        while !decoder.isDone { try decoder.step(base: UnsafeRawBufferPointer(start: nil, count: 0), emit: emit) }
        try decoder.finish()
    }
}
