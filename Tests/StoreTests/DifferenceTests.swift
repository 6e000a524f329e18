import Foundation
import Testing

@testable import Store

@Suite struct DifferenceTests {
    private let store: Store
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        store = try folder.open()
    }

    private func save(
        _ tensors: [(String, [UInt8], String?, [Int]?)], recipe: JSONValue = [:], attributes: JSONValue = [:]
    ) throws -> Artifact {
        let writer = try store.writer()
        for (name, bytes, type, shape) in tensors { try writer.add(name: name, data: bytes, elementType: type, shape: shape) }
        var provenance = Provenance.example
        provenance.recipe = recipe
        provenance.inputs = ["model": Digest(of: try recipe.canonicalBytes())]
        return try store.artifact(writer.commit(kind: "model", attributes: attributes, provenance: provenance))
    }

    private func floats(_ values: [Float]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }

    @Test func `tells equal, changed, reshaped and missing tensors apart, small and large`() throws {
        let large = [Float](repeating: 2, count: 20_000)
        var other = large
        other[7] = 5
        let a = try save([
            ("same", floats([1, 2]), "float32", [2]), ("large", floats(large), "float32", [20_000]),
            ("small", floats([3, 4]), "float32", [2]), ("shape", floats([1, 2]), "float32", [2]),
            ("gone", [1], nil, nil), ("text", [1, 2], nil, nil),
        ])
        let b = try save([
            ("same", floats([1, 2]), "float32", [2]), ("large", floats(other), "float32", [20_000]),
            ("small", floats([3, 1]), "float32", [2]), ("shape", floats([1, 2]), "float32", [1, 2]),
            ("new", [1], nil, nil), ("text", [1, 3], nil, nil),
        ])
        let difference = try store.difference(a, b)
        let changes = Dictionary(uniqueKeysWithValues: difference.ranges.map { ($0.name, $0) })
        #expect(changes.mapValues(\.change) == [
            "same": .equal, "large": .changed, "small": .changed, "shape": .reshaped, "gone": .onlyFirst, "new": .onlySecond,
            "text": .changed,
        ])
        #expect(changes["small"]?.distance == 3.0 / 5)
        #expect(changes["small"]?.changedCount == 1)
        let expected = 3 / (4.0 * 20_000).squareRoot()
        #expect(abs(try #require(changes["large"]?.distance) - expected) < 1e-15)
        #expect(changes["text"]?.distance == nil)
        #expect(difference.count(.changed) == 3)
        #expect(try store.difference(a, a).ranges.allSatisfy { $0.change == .equal })
    }

    @Test func `measures every floating-point type`() throws {
        func distance(_ a: [UInt8], _ b: [UInt8], _ type: ElementType) -> Double? {
            a.withUnsafeBytes { a in b.withUnsafeBytes { b in TensorDistance(a, b, type)?.relative } }
        }
        func little(_ words: [UInt16]) -> [UInt8] { words.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] } }
        let doubles = [2.0, 0].withUnsafeBytes { Array($0) }
        #expect(distance(doubles, [2.0, 1].withUnsafeBytes { Array($0) }, .float64) == 0.5)
        // 2 and 1 in half precision; the smallest subnormal; infinity and NaN.
        #expect(distance(little([0x4000]), little([0x3c00]), .float16) == 0.5)
        let subnormal = try #require(distance(little([0x0001, 0x8001]), little([0x0001, 0x0001]), .float16))
        #expect(abs(subnormal - 2.0.squareRoot()) < 1e-15)
        #expect(distance(little([0x7c00]), little([0x3c00]), .float16)?.isNaN == true)
        #expect(distance(little([0x4000]), little([0x3f80]), .bfloat16) == 0.5)
        #expect(distance(floats([0]), floats([1]), .float32) == .infinity)
        #expect(distance(floats([.nan]), floats([1]), .float32)?.isNaN == true)
        #expect(distance(floats([0]), floats([-0.0]), .float32) == 0)
        #expect(distance([1], [2], .int8) == nil)
    }

    @Test func `compares recipes, inputs and attributes leaf by leaf`() throws {
        let a = try save(
            [], recipe: ["rate": 0.1, "betas": [0.9, 0.99]],
            attributes: ["metrics": [["name": "f1", "value": 0.5]], "steps": 3])
        let b = try save(
            [], recipe: ["rate": 0.2, "betas": [0.9, 0.98], "new": .null],
            attributes: ["metrics": [["name": "f1", "value": 0.75], ["name": "mcc", "value": 0]], "steps": 3])
        let difference = try store.difference(a, b)
        #expect(difference.recipe.map(\.path) == ["betas.1", "new", "rate"])
        #expect(difference.recipe[1].first == nil && difference.recipe[1].second == .null)
        #expect(difference.attributes.map(\.path) == ["metrics.f1", "metrics.mcc"])
        #expect(difference.attributes[0].second == 0.75)
        #expect(difference.inputs.map(\.role) == ["model"])
        #expect(difference.stages == nil)
    }

    @Test func `follows provenance down to the source, past what is gone`() throws {
        let base = try store.save(["a": [1]])
        let data = try store.save(["d": [2]], kind: "dataset", inputs: ["tokenizer": base])
        let model = try store.save(["m": [3]], inputs: ["model": base, "dataset": data, "other": Digest(of: [9])])
        let run = try store.save(
            ["l": [4]], kind: "run",
            attributes: ["model": .string(model.description), "x": .string(Digest(of: [8]).description)])
        try store.setReference(kind: "model", name: "base", to: base)
        let graph = try store.provenanceGraph(of: run)
        #expect(Set(graph.nodes.map(\.digest)) == [run, model, base, data, Digest(of: [9])])
        #expect(graph.nodes.first?.digest == run)
        #expect(graph.nodes.first { $0.digest == base }?.names == ["model/base"])
        #expect(graph.nodes.first { $0.digest == Digest(of: [9]) }?.artifact == nil)
        #expect(Set(graph.edges) == [
            .init(from: run, to: model, role: nil), .init(from: model, to: base, role: "model"),
            .init(from: model, to: data, role: "dataset"), .init(from: model, to: Digest(of: [9]), role: "other"),
            .init(from: data, to: base, role: "tokenizer"),
        ])
    }
}
