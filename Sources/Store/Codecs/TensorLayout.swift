import Foundation

/// What the codecs for tensors must know of the elements and rows; goes into their parameters.
struct TensorLayout: Equatable, Sendable {
    enum Kind: UInt32, CaseIterable {
        case integer8, integer16, integer32, integer64, float16, bfloat16, float32, float64
    }

    /// The plain bytes of a block are at most these.
    static let blockByteCount = 1 << 20

    let kind: Kind
    /// Elements that are taken to resemble one another: a row of a matrix.
    let segment: Int

    init(kind: Kind, segment: Int) {
        precondition(segment >= 1 && segment <= Self.blockByteCount / kind.width)
        self.kind = kind
        self.segment = segment
    }

    /// Rows of a sensible length become segments; shorter ones are joined and longer ones divided.
    init(_ type: ElementType, shape: [Int]?) {
        let kind: Kind
        switch type {
        case .float64: kind = .float64
        case .float32: kind = .float32
        case .float16: kind = .float16
        case .bfloat16: kind = .bfloat16
        case .int64, .uint64: kind = .integer64
        case .int32, .uint32: kind = .integer32
        case .int16, .uint16: kind = .integer16
        case .int8, .uint8, .bool: kind = .integer8
        }
        let row = shape.map { $0.count > 1 ? $0.last! : 256 } ?? 256
        switch row {
        case 64...4096: self.init(kind: kind, segment: row)
        case 1..<64: self.init(kind: kind, segment: row * ((63 + row) / row))
        default: self.init(kind: kind, segment: 256)
        }
    }

    /// Bits 0 to 7 are the kind, bits 8 to 31 the segment.
    var parameters: UInt32 { kind.rawValue | UInt32(segment) << 8 }

    init?(parameters: UInt32) {
        guard let kind = Kind(rawValue: parameters & 0xff) else { return nil }
        let segment = Int(parameters >> 8)
        guard (1...Self.blockByteCount / kind.width).contains(segment) else { return nil }
        self.init(kind: kind, segment: segment)
    }

    /// Blocks that are worked on at once. Each takes some 5 MiB, so a machine with many processors is not filled.
    static let groupLimit = min(16, ProcessInfo.processInfo.activeProcessorCount * 2)

    /// The plain bytes of every block but the last: as many whole segments as fit.
    var blockByteCount: Int { Self.blockByteCount / (segment * kind.width) * segment * kind.width }
}

extension TensorLayout.Kind {
    /// Bytes of an element.
    var width: Int {
        switch self {
        case .integer8: 1
        case .integer16, .float16, .bfloat16: 2
        case .integer32, .float32: 4
        case .integer64, .float64: 8
        }
    }

    var isFloatingPoint: Bool { mantissaBits > 0 }

    /// The type of elements of a floating-point kind.
    var floatingPointType: ElementType? {
        switch self {
        case .float16: .float16
        case .bfloat16: .bfloat16
        case .float32: .float32
        case .float64: .float64
        default: nil
        }
    }

    /// Bits of the stored significand; 0 for integers.
    var mantissaBits: Int {
        switch self {
        case .float16: 10
        case .bfloat16: 7
        case .float32: 23
        case .float64: 52
        default: 0
        }
    }
}
