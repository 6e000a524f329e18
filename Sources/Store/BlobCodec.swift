/// One way to hold bytes in a file. A conformer is one file under `Codecs/` and one line in `BlobCodecs`.
protocol BlobCodec: Sendable {
    /// The number in the header; never reused.
    static var identifier: UInt16 { get }
    static var name: String { get }
    /// What the decoder must know besides the lengths; goes into the header.
    var parameters: UInt32 { get }
    /// From the header; nil for parameters that no version has written.
    init?(parameters: UInt32)
    func makeEncoder(effort: Effort) throws -> any BlobEncoder
    /// Decodes exactly `plainByteCount` bytes from all of `source` and hands them to `emit` in order.
    ///
    /// `window` takes the output: all of it if it is large enough, otherwise it is filled again and again. Its size is
    /// at least
    /// `BlobCodecs.smallestWindow` or `plainByteCount`. Throws `StoreError` with code `damaged` for anything that is
    /// not exactly right.
    func decode(
        _ source: EncodedSource, plainByteCount: Int, window: UnsafeMutableRawBufferPointer,
        emit: (UnsafeRawBufferPointer) throws -> Void) throws
}

/// A codec that tells a blob by its difference to another one of the same length, whose digest is in the header.
protocol DeltaBlobCodec: Sendable {
    static var identifier: UInt16 { get }
    static var name: String { get }
    var layout: TensorLayout { get }
    var parameters: UInt32 { get }
    init?(parameters: UInt32)
    /// `base` is all of the base's plain bytes and must outlive the encoder.
    func makeEncoder(effort: Effort, base: UnsafeRawBufferPointer) throws -> any BlobEncoder
    /// Like `BlobCodec.decode`; `base` is read once.
    func decode(
        _ source: EncodedSource, plainByteCount: Int, window: UnsafeMutableRawBufferPointer,
        base: BaseSource, emit: (UnsafeRawBufferPointer) throws -> Void) throws
}

/// Where the plain bytes of a delta's base come from.
struct BaseSource {
    /// Hands all of them over in portions.
    let read: (_ take: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
}

/// Takes plain bytes in portions of any size and emits encoded ones.
protocol BlobEncoder: AnyObject {
    func append(_ plain: UnsafeRawBufferPointer, emit: (UnsafeRawBufferPointer) throws -> Void) throws
    func finish(emit: (UnsafeRawBufferPointer) throws -> Void) throws
}

/// How hard to compress.
public enum Effort: String, Sendable, CaseIterable {
    /// Least time: a checkpoint in the middle of training.
    case fast
    /// Good ratio at the speed of a disk.
    case standard
    /// Smallest: something that is kept or sent.
    case strong
}

/// The catalogue of codecs.
enum BlobCodecs {
    static let all: [any BlobCodec.Type] = [PlainCodec.self, ZstandardCodec.self, PlanesCodec.self]

    static let deltas: [any DeltaBlobCodec.Type] = [DeltaCodec.self]

    /// Decoders may rely on a window of this size.
    static let smallestWindow = 1 << 20

    /// What a header names.
    enum Known {
        case full(any BlobCodec)
        case delta(any DeltaBlobCodec, base: Digest)

        var name: String {
            switch self {
            case .full(let codec): type(of: codec).name
            case .delta(let codec, _): type(of: codec).name
            }
        }

        var base: Digest? { if case .delta(_, let base) = self { base } else { nil } }

        var deltaLayout: TensorLayout? { if case .delta(let codec, _) = self { codec.layout } else { nil } }
    }

    /// The codec a header names; throws for an unknown one, and for a base where none belongs or none where one does.
    static func codec(for header: BlobHeader, name: String) throws -> Known {
        if let base = header.base {
            if let codec = deltas.first(where: { $0.identifier == header.codec })?.init(parameters: header.parameters) {
                return .delta(codec, base: base)
            }
        } else if let codec = all.first(where: { $0.identifier == header.codec })?.init(parameters: header.parameters) {
            return .full(codec)
        }
        throw StoreError(
            .newerFormat, operation: "decode a blob", path: name, expected: "a known codec",
            found: "codec \(header.codec), parameters \(header.parameters)\(header.base == nil ? "" : ", a base")",
            advice: "use a newer version of this tool")
    }
}

/// The encoded part of a stored file, read front to back through one buffer.
final class EncodedSource {
    let name: String
    private let file: any ReadableFile
    private var offset: Int
    private let end: Int
    private var buffer: [UInt8]
    private var available: Range<Int> = 0..<0

    init(file: any ReadableFile, from offset: Int, name: String) {
        self.file = file
        self.offset = offset
        self.end = file.byteCount
        self.name = name
        buffer = [UInt8](repeating: 0, count: min(1 << 20, max(1, file.byteCount - offset)))
    }

    /// Bytes not yet taken.
    var remaining: Int { end - offset + available.count }

    /// Fills `target`; throws if the source ends before.
    func read(into target: UnsafeMutableRawBufferPointer) throws {
        guard target.count <= remaining else { throw damage("\(target.count) more bytes", "\(remaining)") }
        let buffered = min(target.count, available.count)
        buffer.withUnsafeBytes {
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[available].prefix(buffered)))
        }
        available.removeFirst(buffered)
        let rest = UnsafeMutableRawBufferPointer(rebasing: target[buffered...])
        guard rest.count > 0 else { return }
        if rest.count >= buffer.count {
            try file.read(into: rest, at: offset)
            offset += rest.count
        } else {
            try fill()
            buffer.withUnsafeBytes { rest.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<rest.count])) }
            available.removeFirst(rest.count)
        }
    }

    /// The next buffered bytes, empty at the end; `body` says how many it used.
    func withNext(_ body: (UnsafeRawBufferPointer) throws -> Int) throws {
        if available.isEmpty { try fill() }
        let used = try buffer.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[available])) }
        available.removeFirst(used)
    }

    private func fill() throws {
        let count = min(buffer.count, end - offset)
        try buffer.withUnsafeMutableBytes {
            try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]), at: offset)
        }
        offset += count
        available = 0..<count
    }

    func damage(_ expected: String, _ found: String) -> StoreError {
        StoreError(
            .damaged, operation: "decode a blob", path: name, expected: expected, found: found,
            advice: "run verify to learn what else is hit")
    }
}
