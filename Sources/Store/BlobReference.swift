/// A named range of plain bytes in a blob: a tensor, a file, a shard.
///
/// A range of 64 KiB and more has a blob of its own; smaller ones of one artifact lie side by side in packed blobs,
/// and for them
/// `digest` and `blobByteCount` are the packed blob's.
public struct BlobReference: Hashable, Sendable {
    /// Unique in its artifact.
    public var name: String
    /// The SHA-256 of the whole blob's plain bytes.
    public var digest: Digest
    /// Where the range starts in the blob's plain bytes.
    public var offset: Int
    /// The length of the range.
    public var byteCount: Int
    /// The length of the whole blob's plain bytes.
    public var blobByteCount: Int
    /// A name from `ElementType`; nil for plain bytes.
    public var elementType: String?
    public var shape: [Int]?
    /// The blob of the same length that this one was expected to resemble when it was saved, such as the tensor that an
    /// adapted one started from. Whether its file is a difference to it, or to that one's own base, the file's header
    /// says: see ``Store/base(of:)``.
    public var base: Digest?

    public init(
        name: String, digest: Digest, offset: Int = 0, byteCount: Int, blobByteCount: Int, elementType: String? = nil,
        shape: [Int]? = nil, base: Digest? = nil
    ) {
        self.name = name
        self.digest = digest
        self.offset = offset
        self.byteCount = byteCount
        self.blobByteCount = blobByteCount
        self.elementType = elementType
        self.shape = shape
        self.base = base
    }

    /// Whether the range is only a part of its blob.
    public var isPacked: Bool { byteCount != blobByteCount }

    /// Ranges below this length are packed together.
    public static let packingThreshold = 64 << 10
    /// A packed blob is never longer than this.
    public static let largestPack = 16 << 20

    /// Checks that the facts do not contradict one another; throws `StoreError` with code `invalidManifest`.
    func validate() throws {
        func fault(_ expected: String, _ found: String) -> StoreError {
            StoreError(
                .invalidManifest, operation: "take the blob \(StoreError.quoted(name))", expected: expected,
                found: found)
        }
        guard Self.isValid(name: name) else {
            throw fault("a name without control characters and path parts", "this one")
        }
        guard offset >= 0, byteCount >= 0, blobByteCount >= 0, offset <= blobByteCount,
            byteCount <= blobByteCount - offset
        else { throw fault("a range inside its blob", "\(offset)+\(byteCount) of \(blobByteCount)") }
        guard !isPacked || blobByteCount <= Self.largestPack else {
            throw fault("a packed blob of at most \(Self.largestPack) bytes", "\(blobByteCount)")
        }
        guard base == nil || !isPacked, base != digest else {
            throw fault("a base only for a blob of one range, and another one than itself", "one")
        }
        if let elementType {
            guard let type = ElementType(rawValue: elementType) else {
                throw fault(
                    "an element type of " + ElementType.allCases.map(\.rawValue).joined(separator: ", "),
                    StoreError.quoted(elementType))
            }
            var product = type.byteCount
            // A zero among the factors must not hide an overflow of the others.
            var overflow = false
            for factor in shape ?? [] where factor != 0 {
                guard factor > 0 else { throw fault("a shape of counts", "\(factor)") }
                let (next, carry) = product.multipliedReportingOverflow(by: factor)
                overflow = overflow || carry
                product = next
            }
            if let shape {
                guard !overflow, byteCount == (shape.contains(0) ? 0 : product) else {
                    throw fault("\(elementType) \(shape)", "\(byteCount) bytes")
                }
            } else if byteCount % type.byteCount != 0 {
                throw fault("whole elements of \(elementType)", "\(byteCount) bytes")
            }
        } else if shape != nil {
            throw fault("an element type beside the shape", "none")
        }
    }

    /// Names become file names on export, so they may not wander.
    static func isValid(name: String) -> Bool {
        guard (1...512).contains(name.utf8.count), !name.hasPrefix("/"), !name.utf8.contains(UInt8(ascii: "\\")) else {
            return false
        }
        guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else { return false }
        return name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
            $0 != "" && $0 != "." && $0 != ".."
        }
    }
}
