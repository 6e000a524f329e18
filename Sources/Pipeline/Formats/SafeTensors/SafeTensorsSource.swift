/// Named tensors that can be read one at a time: one safetensors file, or several that an index joins.
public protocol SafeTensorsSource: AnyObject, Sendable {
    var metadata: [String: String] { get }
    /// In the order of the file, shard by shard.
    var order: [String] { get }
    var tensors: [String: SafeTensorInfo] { get }

    /// The file that holds the tensor of that name, which must exist.
    func file(of name: String) throws -> SafeTensorsFile
}

extension SafeTensorsSource {
    /// What the header says about a tensor.
    ///
    /// - Throws: `missingTensor`.
    public func info(_ name: String) throws -> SafeTensorInfo {
        try file(of: name).info(name)
    }

    /// Converts a whole tensor to float32.
    ///
    /// - Parameters:
    ///   - buffer: has exactly as many elements as the tensor; overwritten.
    ///   - allowNonFinite: take NaN and infinity as they are.
    /// - Throws: `missingTensor`; `unsupportedDataType` for anything but F32, F16 and BF16; `nonFiniteValue`; I/O
    ///   errors.
    public func readFloat32(
        _ name: String, into buffer: UnsafeMutableBufferPointer<Float>, allowNonFinite: Bool = false
    ) throws {
        try file(of: name).readElements(name, into: buffer, allowNonFinite: allowNonFinite)
    }

    /// As `readFloat32(_:into:)`, into a new array.
    public func float32(_ name: String, allowNonFinite: Bool = false) throws -> [Float] {
        let count = try info(name).count
        return try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            let target = UnsafeMutableBufferPointer(rebasing: buffer[0..<count])
            try readFloat32(name, into: target, allowNonFinite: allowNonFinite)
            initialized = count
        }
    }

    /// Hands the tensor's bytes, as they are stored, to `body` in chunks of at most `chunkSize`.
    ///
    /// - Throws: `missingTensor`; I/O errors; what `body` throws.
    public func readBytes(
        _ name: String, chunkSize: Int = 1 << 20, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try file(of: name).readChunks(name, chunkSize: chunkSize, body)
    }
}
