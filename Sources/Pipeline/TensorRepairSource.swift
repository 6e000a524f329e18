import Foundation
import Store
import Tensors

/// Lost tensors from safetensors weights: those whose float32 values have the digest, whatever their names.
public struct TensorRepairSource: RepairSource {
    public let name: String
    private let checkpoint: any SafeTensorsSource

    /// - Parameter url: a file, a shard index, or a folder with one of them.
    public init(_ url: URL) throws {
        name = url.path
        checkpoint = try SafeTensorsCheckpoint.open(url)
    }

    public func blob(_ digest: Digest, byteCount: Int?) throws -> [UInt8]? {
        for tensor in checkpoint.order {
            guard let info = try? checkpoint.info(tensor), byteCount == nil || info.count * 4 == byteCount,
                let values = try? checkpoint.float32(tensor, allowNonFinite: true)
            else { continue }
            let found: [UInt8]? = values.withUnsafeBytes { Digest(of: $0) == digest ? Array($0) : nil }
            if let found { return found }
        }
        return nil
    }

    public func manifest(_ digest: Digest) throws -> [UInt8]? { nil }

    public func reference(kind: String, name: String) throws -> Reference? { nil }
}
