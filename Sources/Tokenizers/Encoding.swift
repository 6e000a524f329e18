/// A text, or a pair of texts, as a model reads it.
public struct Encoding: Sendable, Hashable {
    public var ids: [Int32]
    /// The segment of each token: 0 or 1 for BERT pairs, always 0 for RoBERTa.
    public var typeIDs: [UInt8]
    /// Where each token stands in its own input text, in bytes of UTF-8; empty at 0 for tokens of the template.
    public var offsets: [Range<Int>]
    /// Whether tokens were left out to keep to the maximum length.
    public var wasTruncated: Bool

    public init(
        ids: [Int32] = [], typeIDs: [UInt8] = [], offsets: [Range<Int>] = [], wasTruncated: Bool = false
    ) {
        self.ids = ids
        self.typeIDs = typeIDs
        self.offsets = offsets
        self.wasTruncated = wasTruncated
    }

    mutating func removeAll(reserving count: Int) {
        ids.removeAll(keepingCapacity: true)
        typeIDs.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        ids.reserveCapacity(count)
        typeIDs.reserveCapacity(count)
        offsets.reserveCapacity(count)
        wasTruncated = false
    }
}
