import Dispatch
import Foundation
import Synchronization

/// How fast an artifact's blobs are encoded and decoded in memory, and read from the store.
public struct CodecRates: Sendable {
    public struct Codec: Sendable {
        public var name: String
        public var blobCount = 0
        public var plainByteCount = 0
        public var encodedByteCount = 0
        /// The best round's, on all processors.
        public var encoding = Duration(seconds: .infinity, processorSeconds: .infinity)
        public var decoding = Duration(seconds: .infinity, processorSeconds: .infinity)
    }

    public struct Duration: Sendable {
        /// On the clock.
        public var seconds: Double
        /// Of all threads, the system's work for them included.
        public var processorSeconds: Double
    }

    /// By the codec that each blob has in the store.
    public var codecs: [Codec] = []
    public var plainByteCount = 0
    /// Of the files in the store.
    public var storedByteCount = 0
    /// Reading all blobs from the store, digests and checksums checked.
    public var loading = Duration(seconds: .infinity, processorSeconds: .infinity)
}

extension Store {
    /// Encodes with `effort` and decodes each blob of an artifact in memory by the codec that it has in the store, and
    /// reads all of them from the store; the best of some rounds. Everything is in memory meanwhile.
    ///
    /// - Throws: `StoreError` with code `damaged`, and if something does not come back as it was.
    public func measureCodecs(_ artifact: Artifact, effort: Effort, rounds: Int) throws -> CodecRates {
        var rates = CodecRates()
        var works: [String: [CodecWork]] = [:]
        var seen: Set<Digest> = []
        for blob in artifact.blobs where seen.insert(blob.digest).inserted {
            let facts = try blobReader.facts(blob.digest)
            guard let facts else { continue }
            let type = blob.isPacked ? nil : blob.elementType.flatMap(ElementType.init(rawValue:))
            let plain = try blobReader.bytes(blob.digest, byteCount: blob.blobByteCount)
            let base = try facts.base.map { try blobReader.bytes($0, byteCount: blob.blobByteCount) }
            rates.plainByteCount += plain.count
            rates.storedByteCount += facts.storedByteCount
            let work = CodecWork(digest: blob.digest, plain: plain, base: base, type: type, shape: blob.isPacked ? nil : blob.shape)
            works[facts.codec, default: []].append(work)
        }
        for (name, works) in works.sorted(by: { $0.key < $1.key }) {
            var codec = CodecRates.Codec(name: name)
            codec.blobCount = works.count
            codec.plainByteCount = works.reduce(0) { $0 + $1.plain.count }
            for _ in 0..<rounds {
                codec.encoding = try best(codec.encoding) { try concurrently(works) { try $0.encode(effort) } }
                codec.decoding = try best(codec.decoding) { try concurrently(works) { try $0.decode() } }
                try concurrently(works) { try $0.check() }
            }
            codec.encodedByteCount = works.reduce(0) { $0 + $1.encodedByteCount }
            rates.codecs.append(codec)
        }
        let all = works.values.joined().map { $0 }
        for _ in 0..<rounds {
            rates.loading = try best(rates.loading) {
                try concurrently(all) { work in
                    try work.output.withUnsafeMutableBytes { try blobReader.read(work.digest, into: $0) }
                }
            }
        }
        return rates
    }

    private func best(_ old: CodecRates.Duration, _ body: () throws -> Void) throws -> CodecRates.Duration {
        func processorSeconds() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let (clock, processor) = (ContinuousClock.now, processorSeconds())
        try body()
        let used = processorSeconds() - processor
        let taken = (ContinuousClock.now - clock) / .seconds(1)
        return CodecRates.Duration(seconds: min(old.seconds, taken), processorSeconds: min(old.processorSeconds, used))
    }

    /// The largest first, each on a thread of its own.
    private func concurrently(_ works: [CodecWork], _ body: @Sendable (CodecWork) throws -> Void) throws {
        let failure = Mutex<(any Error)?>(nil)
        let sorted = works.sorted { $0.plain.count > $1.plain.count }
        DispatchQueue.concurrentPerform(iterations: sorted.count) { index in
            do { try body(sorted[index]) } catch { failure.withLock { $0 = error } }
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }
}

/// One blob of a measurement; used by one thread at a time.
private final class CodecWork: @unchecked Sendable {
    let digest: Digest
    let plain: [UInt8]
    let base: [UInt8]?
    let type: ElementType?
    let shape: [Int]?
    var output: [UInt8]
    private var encoded: [UInt8] = []
    private var choice = CodecChoice.Choice.bare

    init(digest: Digest, plain: [UInt8], base: [UInt8]?, type: ElementType?, shape: [Int]?) {
        (self.digest, self.plain, self.base, self.type, self.shape) = (digest, plain, base, type, shape)
        output = [UInt8](repeating: 0, count: plain.count)
    }

    var encodedByteCount: Int { encoded.count }

    /// With the choice of the codec, as when it is saved.
    func encode(_ effort: Effort) throws {
        encoded.removeAll(keepingCapacity: true)
        func run(_ encoder: any BlobEncoder, _ bytes: UnsafeRawBufferPointer) throws {
            try encoder.append(bytes) { encoded += $0 }
            try encoder.finish { encoded += $0 }
        }
        try plain.withUnsafeBytes { plain in
            if let base {
                return try base.withUnsafeBytes { base in
                    choice = try CodecChoice.choice(for: plain, elementType: type, shape: shape, base: base)
                    switch choice {
                    case .bare: encoded += plain
                    case .full(let codec): try run(codec.makeEncoder(effort: effort), plain)
                    case .delta(let codec): try run(codec.makeEncoder(effort: effort, base: base), plain)
                    }
                }
            }
            choice = try CodecChoice.choice(for: plain, elementType: type, shape: shape)
            if case .full(let codec) = choice { try run(codec.makeEncoder(effort: effort), plain) } else { encoded += plain }
        }
    }

    func decode() throws {
        let source = EncodedSource(file: BytesInMemory(encoded), from: 0, name: "\(digest)")
        let count = plain.count
        try output.withUnsafeMutableBytes { window in
            switch choice {
            case .bare: try source.read(into: window)
            case .full(let codec): try codec.decode(source, plainByteCount: count, window: window) { _ in }
            case .delta(let codec):
                try base!.withUnsafeBytes { base in
                    try codec.decode(
                        source, plainByteCount: count, window: window, base: BaseSource { try $0(base) }) { _ in }
                }
            }
        }
    }

    /// Throws unless what was decoded is what was encoded.
    func check() throws {
        let isEqual = plain.withUnsafeBytes { plain in output.withUnsafeBytes { memcmp($0.baseAddress!, plain.baseAddress!, plain.count) == 0 } }
        guard isEqual else {
            throw StoreError(.damaged, operation: "encode and decode a blob", expected: "the bytes of \(digest)", found: "others")
        }
    }
}

private final class BytesInMemory: ReadableFile {
    private let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
    var byteCount: Int { bytes.count }

    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        bytes.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + target.count])) }
    }
}
