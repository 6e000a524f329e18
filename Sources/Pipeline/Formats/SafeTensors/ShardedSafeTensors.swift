import Foundation

/// A checkpoint in several safetensors files, joined by an index (`model.safetensors.index.json`).
public final class ShardedSafeTensors: SafeTensorsSource {
    static let longestIndex = 64 << 20

    public let metadata: [String: String]
    public let order: [String]
    public let tensors: [String: SafeTensorInfo]
    /// The shards in the order of their names.
    public let shards: [SafeTensorsFile]

    private let index: String
    private let shardOfTensor: [String: SafeTensorsFile]

    /// Opens the index and every shard, and checks that they agree: each tensor is exactly where the index says.
    ///
    /// - Throws: `FormatError`.
    public init(index url: URL) throws {
        index = url.path
        let contents = try ShardIndex(url, limit: Self.longestIndex)
        var metadata: [String: String] = [:]
        var order: [String] = []
        var tensors: [String: SafeTensorInfo] = [:]
        var shards: [SafeTensorsFile] = []
        var shardOfTensor: [String: SafeTensorsFile] = [:]
        for (name, listed) in contents.tensorsOfShard.sorted(by: { $0.key < $1.key }) {
            let shard = try SafeTensorsFile(url.deletingLastPathComponent().appendingPathComponent(name))
            for tensor in listed where shard.tensors[tensor] == nil {
                throw FormatError(
                    .shardLacksTensor, file: shard.file, tensor: tensor,
                    "the index \(url.lastPathComponent) places the tensor in this shard, which does not have it",
                    advice: "The files do not belong together, or some are damaged; obtain them again.")
            }
            let known = Set(listed)
            for tensor in shard.order {
                guard known.contains(tensor) else {
                    throw FormatError(
                        .shardHasExtraTensor, file: shard.file, tensor: tensor,
                        "the index \(url.lastPathComponent) does not place the tensor in this shard",
                        advice: "The files do not belong together, or some are damaged; obtain them again.")
                }
                order.append(tensor)
                tensors[tensor] = shard.tensors[tensor]
                shardOfTensor[tensor] = shard
            }
            metadata.merge(shard.metadata) { first, _ in first }
            shards.append(shard)
        }
        let size = tensors.values.reduce(0) { $0 + $1.byteCount }
        if let declared = contents.totalSize, declared != size {
            throw FormatError(
                .shardTotalSize, file: url.path, column: "total_size",
                "the index and the shards disagree about the size of all tensors", expected: "\(size)",
                found: "\(declared)",
                advice: "The files do not belong together, or some are damaged; obtain them again.")
        }
        self.metadata = metadata
        self.order = order
        self.tensors = tensors
        self.shards = shards
        self.shardOfTensor = shardOfTensor
    }

    public func file(of name: String) throws -> SafeTensorsFile {
        guard let shard = shardOfTensor[name] else {
            throw FormatError(.missingTensor, file: index, tensor: name, "no shard has a tensor of this name")
        }
        return shard
    }
}

/// The contents of a shard index: which file holds which tensor.
struct ShardIndex {
    private(set) var tensorsOfShard: [String: [String]] = [:]
    private(set) var totalSize: Int?

    init(_ url: URL, limit: Int) throws {
        let file = url.path
        let bytes = try OpenFile.contents(of: url, limit: limit)
        func malformed(_ column: String?, _ problem: String) -> FormatError {
            FormatError(.indexMalformed, file: file, column: column, problem)
        }
        guard case .object(let object) = try JSONTree(parsing: bytes, file: file) else {
            throw malformed(nil, "the index is not a JSON object")
        }
        guard case .object(let map)? = object["weight_map"] else {
            throw malformed("weight_map", "the index has no object that maps tensors to files")
        }
        guard !map.members.isEmpty else { throw malformed("weight_map", "the index names no tensor") }
        for member in map.members {
            guard case .string(let shard) = member.value else {
                throw malformed(member.key, "the index must map each tensor to the name of a file")
            }
            guard !shard.isEmpty, !shard.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0x5C || $0 < 0x20 }),
                shard != ".", shard != ".."
            else {
                throw FormatError(
                    .shardNameHasPath, file: file, tensor: member.key, "the index names a file outside its folder",
                    expected: "a plain file name", found: "\"\(shard)\"")
            }
            tensorsOfShard[shard, default: []].append(member.key)
        }
        guard let metadata = object["metadata"] else { return }
        guard case .object(let metadata) = metadata else {
            throw malformed("metadata", "the metadata is not an object")
        }
        guard let declared = metadata["total_size"] else { return }
        // Some exporters write the size as a floating-point number.
        guard case .number(let number) = declared, let value = number.double, let size = Int(exactly: value), size >= 0
        else {
            throw malformed("total_size", "the total size is not a number of bytes")
        }
        totalSize = number.integer ?? size
    }
}
