import Foundation
import Testing

@testable import Pipeline

@Suite struct ShardedSafeTensorsTests {
    static let folder = Fixture.formats.appendingPathComponent("sharded")

    /// A copy of the fixture in which a test may change files.
    static func copy() throws -> Scratch {
        let scratch = Scratch()
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            _ = scratch.write(file, try Data(contentsOf: folder.appendingPathComponent(file)))
        }
        return scratch
    }

    static func index(_ map: String, size: String = "60") -> String {
        "{\"metadata\":{\"total_size\":\(size)},\"weight_map\":{\(map)}}"
    }

    static let first = "model-00001-of-00002.safetensors"
    static let second = "model-00002-of-00002.safetensors"
    static let map =
        "\"a.weight\":\"\(first)\",\"a.bias\":\"\(first)\",\"b.weight\":\"\(second)\",\"position_ids\":\"\(second)\""

    @Test func `shards read as one checkpoint`() throws {
        let checkpoint = try SafeTensorsCheckpoint.open(Self.folder)
        #expect(checkpoint is ShardedSafeTensors)
        #expect(Set(checkpoint.order) == ["a.weight", "a.bias", "b.weight", "position_ids"])
        #expect(try checkpoint.float32("a.weight") == [0, 1, 2, 3, 4, 5])
        #expect(try checkpoint.float32("b.weight") == [0, 1, 2, 3])
        #expect(checkpoint.metadata == ["format": "pt"])
        #expect(try refusal { _ = try checkpoint.float32("c") }?.reason == .missingTensor)
    }

    @Test func `a folder with a single file opens it`() throws {
        let scratch = Scratch()
        _ = scratch.write(
            "model.safetensors", try Data(contentsOf: Fixture.formats.appendingPathComponent("weights.safetensors")))
        #expect(try SafeTensorsCheckpoint.open(scratch.url) is SafeTensorsFile)
        #expect(try refusal { _ = try SafeTensorsCheckpoint.open(Scratch().url) }?.reason == .fileMissing)
    }

    @Test func `a total size may be missing or written as a fraction`() throws {
        for text in [Self.index(Self.map, size: "64.0"), "{\"weight_map\":{\(Self.map)}}"] {
            let scratch = try Self.copy()
            let url = scratch.write("model.safetensors.index.json", text)
            #expect(try ShardedSafeTensors(index: url).shards.count == 2)
        }
    }

    @Test(arguments: [
        (FormatReason.shardTotalSize, Self.index(Self.map, size: "63")),
        (.indexMalformed, Self.index(Self.map, size: "\"64\"")),
        (.indexMalformed, Self.index(Self.map, size: "-64")),
        (.indexMalformed, Self.index("")),
        (.indexMalformed, Self.index("\"a.weight\":1")),
        (.indexMalformed, "{}"),
        (.indexMalformed, "[]"),
        (.jsonSyntax, "{"),
        (.jsonDuplicateKey, Self.index(Self.map + ",\"a.bias\":\"\(Self.second)\"")),
        (.shardNameHasPath, Self.index("\"a.weight\":\"../\(Self.first)\"")),
        (.shardNameHasPath, Self.index("\"a.weight\":\"\"")),
        (.shardLacksTensor, Self.index(Self.map + ",\"c\":\"\(Self.second)\"")),
        (.shardHasExtraTensor, Self.index("\"a.weight\":\"\(Self.first)\",\"b.weight\":\"\(Self.second)\"")),
        (.fileMissing, Self.index(Self.map + ",\"c\":\"model-00003.safetensors\"")),
    ])
    func `an index that disagrees with its shards is refused`(reason: FormatReason, text: String) throws {
        let scratch = try Self.copy()
        let url = scratch.write("model.safetensors.index.json", text)
        let error = try refusal { _ = try ShardedSafeTensors(index: url) }
        #expect(error?.reason == reason, "\(error?.description ?? "accepted")")
    }

    @Test func `a tensor in two shards is refused`() throws {
        let scratch = try Self.copy()
        _ = scratch.write(Self.second, try Data(contentsOf: Self.folder.appendingPathComponent(Self.first)))
        let url = scratch.url.appendingPathComponent("model.safetensors.index.json")
        let map = "\"a.weight\":\"\(Self.first)\",\"a.bias\":\"\(Self.second)\""
        _ = scratch.write("model.safetensors.index.json", Self.index(map))
        #expect(try refusal { _ = try ShardedSafeTensors(index: url) }?.reason == .shardHasExtraTensor)
    }
}
