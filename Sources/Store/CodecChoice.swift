/// Finds the codec that makes some bytes smallest, by trying the candidates on a sample.
enum CodecChoice {
    /// A codec must save at least this share, or reading would be slowed for nothing.
    static let leastGain = 0.01
    /// A delta must be smaller than the next best by this share of the plain bytes: reading it reads its base too.
    static let leastDeltaGain = 0.03
    private static let sliceCount = 4
    private static let sliceByteCount = 24 << 10

    enum Choice {
        /// A headerless plain file.
        case bare
        case full(any BlobCodec)
        case delta(any DeltaBlobCodec)
    }

    /// The form for `plain`, which is either everything or a first portion. `base` is as long as `plain`.
    static func choice(
        for plain: UnsafeRawBufferPointer, elementType: ElementType?, shape: [Int]? = nil,
        base: UnsafeRawBufferPointer? = nil
    ) throws -> Choice {
        let layout = elementType.flatMap { $0.byteCount > 1 ? TensorLayout($0, shape: shape) : nil }
        let ranges = slices(plain.count, unit: layout.map { $0.segment * $0.kind.width } ?? 1)
        let sample = bytes(plain, ranges)
        func measure(_ encoder: any BlobEncoder) throws -> Int {
            var count = 0
            try sample.withUnsafeBytes { try encoder.append($0) { count += $0.count } }
            try encoder.finish { count += $0.count }
            return count
        }
        var best = Choice.bare
        var least = Int(Double(sample.count) * (1 - leastGain))
        if plain.count > BlobHeader.byteCount {
            for candidate in candidates(layout) {
                let count = try measure(candidate.makeEncoder(effort: .fast))
                if count <= least { (best, least) = (.full(candidate), count) }
            }
            if let base, let layout, layout.kind.isFloatingPoint {
                precondition(base.count == plain.count, "a base of the same length")
                let codec = DeltaCodec(layout: layout)
                let count = try bytes(base, ranges).withUnsafeBytes {
                    try measure(codec.makeEncoder(effort: .fast, base: $0))
                }
                if count < least - Int(Double(sample.count) * leastDeltaGain) { best = .delta(codec) }
            }
        }
        if case .bare = best { return Self.plain(plain) }
        return best
    }

    /// The plain form: with a header only where the bytes themselves look like one.
    static func plain(_ bytes: UnsafeRawBufferPointer) -> Choice {
        bytes.starts(with: BlobHeader.magic) ? .full(PlainCodec()) : .bare
    }

    private static func candidates(_ layout: TensorLayout?) -> [any BlobCodec] {
        guard let layout else { return [ZstandardCodec()] }
        return [PlanesCodec(layout: layout), ZstandardCodec()]
    }

    /// Ranges from the start to the end, evenly spread, of whole units; everything if that is little more.
    private static func slices(_ count: Int, unit: Int) -> [Range<Int>] {
        let length = max(sliceByteCount / unit, 1) * unit
        guard count > sliceCount * length else { return [0..<count] }
        return (0..<sliceCount).map { slice in
            let start = (count - length) / (sliceCount - 1) * slice / unit * unit
            return start..<start + length
        }
    }

    private static func bytes(_ plain: UnsafeRawBufferPointer, _ ranges: [Range<Int>]) -> [UInt8] {
        ranges.reduce(into: []) { $0 += plain[$1] }
    }
}
