/// The first 80 bytes of an encoded blob file. All numbers are little-endian.
///
/// ```
///  0   8  magic           F1 'P' 'B' 'L' 'O' 'B' 0D 0A
///  8   2  version         1
/// 10   2  codec           identifier from the catalogue
/// 12   4  parameters      the codec's own
/// 16   8  plain length
/// 24   8  encoded length  the file is 80 bytes longer
/// 32  32  base            digest of the plain bytes a delta refers to; zero if none
/// 64   8  XXH64 of the encoded bytes
/// 72   8  XXH64 of bytes 0 to 71
/// ```
///
/// A file that does not start with the magic *is* its plain bytes, so `sha256sum` checks it by hand.
struct BlobHeader: Equatable, Sendable {
    static let byteCount = 80
    static let magic: [UInt8] = [0xf1, 0x50, 0x42, 0x4c, 0x4f, 0x42, 0x0d, 0x0a]
    static let version: UInt16 = 1

    var codec: UInt16
    var parameters: UInt32
    var plainByteCount: Int
    var encodedByteCount: Int
    var base: Digest?
    var checksum: UInt64

    var bytes: [UInt8] {
        var bytes = Self.magic
        func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
        }
        append(Self.version)
        append(codec)
        append(parameters)
        append(UInt64(plainByteCount))
        append(UInt64(encodedByteCount))
        bytes += base?.rawBytes ?? [UInt8](repeating: 0, count: 32)
        append(checksum)
        append(bytes.withUnsafeBytes { XXH64.checksum($0) })
        return bytes
    }

    /// Reads the header of a stored file; nil if the file is headerless, that is plain.
    init?(of file: any ReadableFile, name: String) throws {
        var start = [UInt8](repeating: 0, count: min(Self.byteCount, file.byteCount))
        try start.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        guard start.starts(with: Self.magic) else { return nil }
        func fault(_ expected: String, _ found: String) -> StoreError {
            StoreError(.damaged, operation: "read a blob's header", path: name, expected: expected, found: found)
        }
        guard start.count == Self.byteCount else { throw fault("80 bytes", "\(start.count)") }
        func load<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type) -> Value {
            start.withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: type)) }
        }
        let sum = start.withUnsafeBytes { XXH64.checksum(UnsafeRawBufferPointer(rebasing: $0[..<72])) }
        guard load(72, as: UInt64.self) == sum else { throw fault("its checksum", "another") }
        guard load(8, as: UInt16.self) == Self.version else {
            throw StoreError(
                .newerFormat, operation: "read a blob's header", path: name, expected: "version \(Self.version)",
                found: "\(load(8, as: UInt16.self))", advice: "use a newer version of this tool")
        }
        codec = load(10, as: UInt16.self)
        parameters = load(12, as: UInt32.self)
        guard let plain = Int(exactly: load(16, as: UInt64.self)),
            let encoded = Int(exactly: load(24, as: UInt64.self)), file.byteCount - Self.byteCount == encoded
        else { throw fault("the length of the file", "\(load(24, as: UInt64.self)) encoded bytes") }
        plainByteCount = plain
        encodedByteCount = encoded
        let baseBytes = start[32..<64]
        base = baseBytes.allSatisfy { $0 == 0 } ? nil : Digest(rawBytes: baseBytes)
        checksum = load(64, as: UInt64.self)
    }

    init(codec: UInt16, parameters: UInt32, plainByteCount: Int, encodedByteCount: Int, base: Digest?, checksum: UInt64)
    {
        self.codec = codec
        self.parameters = parameters
        self.plainByteCount = plainByteCount
        self.encodedByteCount = encodedByteCount
        self.base = base
        self.checksum = checksum
    }
}
