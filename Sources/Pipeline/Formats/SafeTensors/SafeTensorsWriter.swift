import Foundation

/// Writes one safetensors file tensor by tensor, so memory stays near one tensor.
///
/// The layout is given first, since the header comes first. The file appears under its name only when `finish()` has
/// written and synchronised everything; until then it is a temporary file beside it, removed when writing is given up.
public final class SafeTensorsWriter {
    public struct Entry: Hashable, Sendable {
        public let name: String
        public let type: SafeTensorsType
        public let shape: [Int]

        public init(name: String, type: SafeTensorsType = .f32, shape: [Int]) {
            self.name = name
            self.type = type
            self.shape = shape
        }

        var byteCount: Int { shape.reduce(1, *) * type.bitCount / 8 }
    }

    private let destination: URL
    private let temporary: String
    private let entries: [Entry]
    private var descriptor: Int32
    private var next = 0
    private var writtenOfCurrent = 0

    /// Starts the file: header, padded with spaces to a multiple of eight bytes.
    ///
    /// Repeated or empty names, negative extents and types narrower than a byte are programming errors.
    /// - Throws: `fileUnwritable`.
    public init(_ url: URL, entries: [Entry], metadata: [String: String] = ["format": "pt"]) throws {
        precondition(Set(entries.map(\.name)).count == entries.count, "tensor names repeat")
        precondition(
            entries.allSatisfy { !$0.name.isEmpty && $0.name != "__metadata__" }, "a tensor has no proper name")
        precondition(entries.allSatisfy { $0.shape.allSatisfy { $0 >= 0 } && $0.type.bitCount >= 8 })
        destination = url
        self.entries = entries
        temporary = url.path + ".\(UUID().uuidString).partial"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw failure("cannot be created") }
        var header = Array(Self.header(entries, metadata).utf8)
        while header.count % 8 != 0 { header.append(0x20) }
        try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try write($0) }
        try header.withUnsafeBytes { try write($0) }
        skipEmptyEntries()
    }

    deinit { abandon() }

    /// Appends float32 values to the tensor whose turn it is, converted to its type (F32, F16 or BF16, to nearest,
    /// ties to even).
    ///
    /// A tensor may come in any number of pieces. Values for another tensor, or too many, are programming errors.
    /// - Throws: `fileUnwritable`.
    public func write(_ name: String, _ values: UnsafeBufferPointer<Float>) throws {
        guard !values.isEmpty else { return }
        let type = begin(name)
        switch type {
        case .f32: try append(UnsafeRawBufferPointer(values))
        case .bf16, .f16:
            let step = 1 << 18
            var chunk = [UInt16](repeating: 0, count: min(step, values.count))
            for start in stride(from: 0, to: values.count, by: step) {
                let count = min(step, values.count - start)
                for index in 0..<count {
                    let value = values[start + index]
                    chunk[index] = type == .f16 ? HalfPrecision.half(value) : HalfPrecision.bfloat(value)
                }
                try chunk.withUnsafeBytes { try append(UnsafeRawBufferPointer(rebasing: $0[0..<2 * count])) }
            }
        default: preconditionFailure("\(name) is not of a floating-point type")
        }
    }

    /// Appends bytes, already in the tensor's type, to the tensor whose turn it is.
    public func writeBytes(_ name: String, _ bytes: UnsafeRawBufferPointer) throws {
        guard !bytes.isEmpty else { return }
        _ = begin(name)
        try append(bytes)
    }

    /// Synchronises the file and gives it its name. Leaving out a tensor is a programming error.
    ///
    /// - Throws: `fileUnwritable`; nothing is left behind then.
    public func finish() throws {
        precondition(next == entries.count, "not all tensors were written")
        guard fsync(descriptor) == 0 else { throw failure("cannot be written to the disk") }
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0, rename(temporary, destination.path) == 0 else {
            let error = failure("cannot be put in its place")
            unlink(temporary)
            throw error
        }
        let folder = open(destination.deletingLastPathComponent().path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    /// Removes what was written so far. Nothing happens after `finish()`.
    public func abandon() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
        unlink(temporary)
    }

    private func begin(_ name: String) -> SafeTensorsType {
        precondition(next < entries.count && entries[next].name == name, "\(name) is out of turn")
        return entries[next].type
    }

    private func append(_ bytes: UnsafeRawBufferPointer) throws {
        writtenOfCurrent += bytes.count
        precondition(writtenOfCurrent <= entries[next].byteCount, "too many values for \(entries[next].name)")
        try write(bytes)
        if writtenOfCurrent == entries[next].byteCount {
            next += 1
            writtenOfCurrent = 0
            skipEmptyEntries()
        }
    }

    private func skipEmptyEntries() {
        while next < entries.count && entries[next].byteCount == 0 { next += 1 }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let count = Foundation.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw failure("cannot be written") }
            done += count
        }
    }

    private func failure(_ problem: String) -> FormatError {
        FormatError(.fileUnwritable, file: destination.path, "\(problem): \(String(cString: strerror(errno)))")
    }

    private static func header(_ entries: [Entry], _ metadata: [String: String]) -> String {
        var parts: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map {
                JSONText.quoted($0.key) + ":" + JSONText.quoted($0.value)
            }
            parts.append("\"__metadata__\":{" + pairs.joined(separator: ",") + "}")
        }
        var offset = 0
        for entry in entries {
            let shape = entry.shape.map(String.init).joined(separator: ",")
            let end = offset + entry.byteCount
            parts.append(
                JSONText.quoted(entry.name)
                    + ":{\"dtype\":\"\(entry.type.rawValue)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
            )
            offset = end
        }
        return "{" + parts.joined(separator: ",") + "}"
    }
}
