/// The part of the network that a parameter belongs to, in the order in which the network computes.
///
/// Layer-wise learning rates, freezing and per-unit line searches group parameters by it.
public enum ParameterUnit: Hashable, Sendable, Comparable, CustomStringConvertible {
    case embeddings
    /// Encoder block `index`, counted from 0 at the input.
    case block(Int)
    /// Everything after the last block: pooler, classifier.
    case head

    private var order: Int {
        switch self {
        case .embeddings: -1
        case .block(let index): index
        case .head: Int.max
        }
    }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.order < rhs.order }

    public var description: String {
        switch self {
        case .embeddings: "embeddings"
        case .block(let index): "block \(index)"
        case .head: "head"
        }
    }
}

/// What a parameter is for. Biases and normalisation parameters take no weight decay.
public enum ParameterRole: String, Hashable, Sendable, CaseIterable {
    /// A matrix that multiplies activations, stored [output, input].
    case weight
    /// A lookup table, stored [rows, C].
    case embedding
    case bias
    /// The scale or shift of a LayerNorm.
    case normalization

    /// Whether decoupled weight decay applies, as in `transformers`' example scripts.
    public var isDecayed: Bool { self == .weight || self == .embedding }
}

/// Names, shapes and offsets of the tensors that share one flat buffer.
///
/// Offsets are in elements and aligned to 16 of them (64 bytes of float32). The gaps belong to no tensor and stay zero.
public struct ParameterLayout: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        /// The Hugging Face name with its family prefix, for example `bert.encoder.layer.0.output.dense.weight`.
        public let name: String
        public let shape: [Int]
        /// First element, counted from the start of the flat buffer.
        public let offset: Int
        public let role: ParameterRole
        public let unit: ParameterUnit

        /// Number of elements.
        public var count: Int { shape.reduce(1, *) }
        public var range: Range<Int> { offset..<offset + count }
    }

    public static let alignment = 16

    public private(set) var entries: [Entry] = []
    /// Length of the flat buffer in elements, gaps included.
    public private(set) var count = 0
    private var positions: [String: Int] = [:]

    public init() {}

    /// Appends a tensor. A repeated name or a negative extent is a programming error.
    public mutating func append(_ name: String, _ shape: [Int], role: ParameterRole, unit: ParameterUnit) {
        precondition(positions[name] == nil, "parameter \(name) appears twice")
        precondition(shape.allSatisfy { $0 >= 0 }, "negative extent in \(name)")
        let entry = Entry(name: name, shape: shape, offset: count, role: role, unit: unit)
        positions[name] = entries.count
        entries.append(entry)
        let end = count + entry.count
        count = (end + Self.alignment - 1) / Self.alignment * Self.alignment
    }

    public subscript(name: String) -> Entry? { positions[name].map { entries[$0] } }

    /// Elements that belong to a tensor, without the gaps.
    public var parameterCount: Int { entries.reduce(0) { $0 + $1.count } }
}
