import Foundation

/// One safetensors file, opened and checked. Tensors are read on request, so memory stays near one tensor.
public final class SafeTensorsFile: SafeTensorsSource {
    public let file: String
    public let metadata: [String: String]
    public let order: [String]
    public let tensors: [String: SafeTensorInfo]

    private let source: OpenFile
    private let dataStart: Int

    /// Opens the file and checks its header against its size. No tensor is read.
    ///
    /// - Throws: `FormatError`, with a reason of its own for each fault.
    public init(_ url: URL) throws {
        let source = try OpenFile(url, regular: true)
        self.source = source
        file = source.file
        guard source.byteCount > 0 else {
            throw FormatError(
                .emptyFile, file: file, "the file is empty", advice: "The file is incomplete; obtain it again.")
        }
        guard source.byteCount >= 8 else {
            throw FormatError(
                .headerLengthTruncated, file: file, "the file ends inside the length of its header",
                expected: "at least 8 bytes", found: "\(source.byteCount)",
                advice: "The file is incomplete; obtain it again.")
        }
        var length: UInt64 = 0
        try withUnsafeMutableBytes(of: &length) { try source.read(at: 0, into: $0) }
        guard length <= UInt64(SafeTensorsHeader.longest) else {
            throw FormatError(
                .headerTooLarge, file: file, byte: 0, "the header is too long",
                expected: "at most \(SafeTensorsHeader.longest) bytes", found: "\(length)",
                advice: "Check that this is a safetensors file.")
        }
        let headerSize = Int(length)
        guard headerSize <= source.byteCount - 8 else {
            throw FormatError(
                .headerBeyondFile, file: file, byte: 0, "the header ends beyond the end of the file",
                expected: "at least \(8 + headerSize) bytes", found: "\(source.byteCount)",
                advice: "The file is incomplete; obtain it again.")
        }
        dataStart = 8 + headerSize
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: headerSize, alignment: 8)
        defer { bytes.deallocate() }
        try source.read(at: 8, into: bytes)
        let header = try SafeTensorsHeader(
            parsing: UnsafeBufferPointer(bytes.bindMemory(to: UInt8.self)), file: file,
            dataSize: source.byteCount - dataStart)
        metadata = header.metadata
        order = header.tensors.map(\.name)
        tensors = Dictionary(uniqueKeysWithValues: header.tensors.map { ($0.name, $0) })
    }

    public func file(of name: String) throws -> SafeTensorsFile { self }

    public func info(_ name: String) throws -> SafeTensorInfo {
        guard let info = tensors[name] else {
            throw FormatError(.missingTensor, file: file, tensor: name, "the file has no tensor of this name")
        }
        return info
    }

    func readChunks(_ name: String, chunkSize: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        precondition(chunkSize > 0)
        let info = try info(name)
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: min(chunkSize, info.byteCount), alignment: 64)
        defer { chunk.deallocate() }
        var done = 0
        while done < info.byteCount {
            let part = UnsafeMutableRawBufferPointer(rebasing: chunk[0..<min(chunkSize, info.byteCount - done)])
            try source.read(at: dataStart + info.range.lowerBound + done, into: part)
            try body(UnsafeRawBufferPointer(part))
            done += part.count
        }
    }

    func readElements(
        _ name: String, into buffer: UnsafeMutableBufferPointer<Float>, allowNonFinite: Bool
    ) throws {
        let info = try info(name)
        precondition(buffer.count == info.count, "the buffer for \(name) has a wrong size")
        switch info.type {
        case .f32: try readFloats(info, into: buffer, allowNonFinite: allowNonFinite)
        case .f16:
            try readHalves(info, into: buffer, allowNonFinite: allowNonFinite) { HalfPrecision.float32(half: $0) }
        case .bf16:
            try readHalves(info, into: buffer, allowNonFinite: allowNonFinite) { HalfPrecision.float32(bfloat: $0) }
        default:
            throw FormatError(
                .unsupportedDataType, file: file, tensor: name, "the element type cannot be used for weights",
                expected: "F32, F16 or BF16", found: info.type.rawValue,
                advice: "Convert the weights to one of these types first.")
        }
    }

    /// Chunks keep the check for finite values in the cache; the bytes go straight to their place.
    private func readFloats(
        _ info: SafeTensorInfo, into buffer: UnsafeMutableBufferPointer<Float>, allowNonFinite: Bool
    ) throws {
        let step = 1 << 18
        for start in stride(from: 0, to: buffer.count, by: step) {
            let part = UnsafeMutableBufferPointer(rebasing: buffer[start..<min(start + step, buffer.count)])
            try source.read(
                at: dataStart + info.range.lowerBound + 4 * start, into: UnsafeMutableRawBufferPointer(part))
            if !allowNonFinite { try checkFinite(part, startingAt: start, info) }
        }
    }

    @inline(__always)
    private func readHalves(
        _ info: SafeTensorInfo, into buffer: UnsafeMutableBufferPointer<Float>, allowNonFinite: Bool,
        _ convert: (UInt16) -> Float
    ) throws {
        let step = 1 << 18
        let chunk = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: min(step, buffer.count))
        defer { chunk.deallocate() }
        for start in stride(from: 0, to: buffer.count, by: step) {
            let count = min(step, buffer.count - start)
            let part = UnsafeMutableBufferPointer(rebasing: chunk[0..<count])
            try source.read(
                at: dataStart + info.range.lowerBound + 2 * start, into: UnsafeMutableRawBufferPointer(part))
            let target = UnsafeMutableBufferPointer(rebasing: buffer[start..<start + count])
            for index in 0..<count { target[index] = convert(part[index]) }
            if !allowNonFinite { try checkFinite(target, startingAt: start, info) }
        }
    }

    private func checkFinite(
        _ values: UnsafeMutableBufferPointer<Float>, startingAt start: Int, _ info: SafeTensorInfo
    ) throws {
        var worst: UInt32 = 0
        for value in values { worst = max(worst, value.bitPattern & 0x7FFF_FFFF) }
        guard worst >= 0x7F80_0000 else { return }
        let index = values.firstIndex { !$0.isFinite }!
        throw FormatError(
            .nonFiniteValue, file: file, tensor: info.name, "the weights contain NaN or infinity",
            found: "\(values[index]) at element \(start + index)",
            advice:
                "The model is damaged or diverged in training; --allow-non-finite reads it all the same.")
    }
}
