/// The bytes themselves behind a header: only for content that starts with the header's magic and would be mistaken
/// for one.
struct PlainCodec: BlobCodec {
    static let identifier: UInt16 = 0
    static let name = "plain"

    var parameters: UInt32 { 0 }

    init() {}

    init?(parameters: UInt32) { if parameters != 0 { return nil } }

    func makeEncoder(effort: Effort) throws -> any BlobEncoder { Encoder() }

    func decode(
        _ source: EncodedSource, plainByteCount: Int, window: UnsafeMutableRawBufferPointer,
        emit: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard source.remaining == plainByteCount else {
            throw source.damage("\(plainByteCount) bytes", "\(source.remaining)")
        }
        let isWhole = window.count >= plainByteCount
        var done = 0
        while done < plainByteCount {
            let count = min(plainByteCount - done, BlobCodecs.smallestWindow, window.count)
            let start = isWhole ? done : 0
            let portion = UnsafeMutableRawBufferPointer(rebasing: window[start..<start + count])
            try source.read(into: portion)
            try emit(UnsafeRawBufferPointer(portion))
            done += count
        }
    }

    private final class Encoder: BlobEncoder {
        func append(_ plain: UnsafeRawBufferPointer, emit: (UnsafeRawBufferPointer) throws -> Void) throws {
            try emit(plain)
        }

        func finish(emit: (UnsafeRawBufferPointer) throws -> Void) throws {}
    }
}
