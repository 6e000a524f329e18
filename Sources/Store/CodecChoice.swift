/// Finds the codec that makes some bytes smallest, by trying the candidates on a sample.
enum CodecChoice {
    /// A codec must save at least this share, or reading would be slowed for nothing.
    static let leastGain = 0.01
    private static let sliceCount = 3
    private static let sliceByteCount = 32 << 10

    /// The codec for `plain`, which is either everything or a first portion; nil for a headerless plain file.
    static func codec(for plain: UnsafeRawBufferPointer, elementType: ElementType?) throws -> (any BlobCodec)? {
        let sample = sample(of: plain)
        var best: (codec: any BlobCodec, count: Int)?
        for candidate in candidates(for: elementType) {
            let encoder = try candidate.makeEncoder(effort: .fast)
            var count = 0
            try sample.withUnsafeBytes { try encoder.append($0) { count += $0.count } }
            try encoder.finish { count += $0.count }
            if count < best?.count ?? .max { best = (candidate, count) }
        }
        if let best, Double(best.count) <= Double(sample.count) * (1 - leastGain), plain.count > BlobHeader.byteCount {
            return best.codec
        }
        return Self.plain(plain)
    }

    /// The plain form: with a header only where the bytes themselves look like one.
    static func plain(_ bytes: UnsafeRawBufferPointer) -> (any BlobCodec)? {
        bytes.starts(with: BlobHeader.magic) ? PlainCodec() : nil
    }

    private static func candidates(for elementType: ElementType?) -> [any BlobCodec] {
        guard let elementType, elementType.byteCount > 1 else { return [ZstandardCodec()] }
        return [
            PlanesCodec(width: elementType.byteCount, rotates: elementType.isFloatingPoint), ZstandardCodec(),
        ]
    }

    /// Slices from the start, the middle and the end, at whole elements of any type.
    private static func sample(of plain: UnsafeRawBufferPointer) -> [UInt8] {
        guard plain.count > sliceCount * sliceByteCount else { return Array(plain) }
        var bytes: [UInt8] = []
        for slice in 0..<sliceCount {
            let start = (plain.count - sliceByteCount) * slice / (sliceCount - 1) & ~7
            bytes += plain[start..<start + sliceByteCount]
        }
        return bytes
    }
}
