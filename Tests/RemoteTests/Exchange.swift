import Foundation
import Store
import Testing

@testable import Remote

/// A folder for one test, removed at the end, with stores in it.
final class Exchange {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "remote-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> URL { url.appending(path: name) }

    func store(_ name: String = "here") throws -> Store { try Store(at: path(name), tool: "tests") }

    func folder(_ name: String) throws -> URL {
        try FileManager.default.createDirectory(at: path(name), withIntermediateDirectories: true)
        return path(name)
    }
}

extension Store {
    /// Bytes that no codec shrinks much, the same for the same seed.
    static func noise(_ count: Int, _ seed: UInt64) -> [UInt8] {
        var state = seed, bytes = [UInt8](repeating: 0, count: count)
        for index in bytes.indices {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes[index] = UInt8(truncatingIfNeeded: state >> 33)
        }
        return bytes
    }

    @discardableResult
    func save(
        _ kind: String, _ name: String?, _ blobs: [String: [UInt8]], attributes: JSONValue = [:], inputs: [String: Digest] = [:],
        license: String? = nil
    ) throws -> Digest {
        let writer = try writer()
        for (name, bytes) in blobs.sorted(by: { $0.key < $1.key }) {
            try writer.add(name: name, data: bytes, elementType: "float32", shape: [bytes.count / 4])
        }
        let digest = try writer.commit(
            kind: kind, attributes: attributes,
            provenance: Provenance(
                stage: "test", stageVersion: 1, inputs: inputs, source: ["url": "https://example.org/model"], license: license))
        if let name { try setReference(kind: kind, name: name, to: digest, replace: true) }
        return digest
    }

    /// A run `critic` with its adapted model, made from the model `base` and the dataset `films`.
    @discardableResult
    func saveRun() throws -> Digest {
        let base = try save("model", "base", ["a": Self.noise(400_000, 1), "b": Self.noise(900, 2)], license: "apache-2.0")
        let data = try save("dataset", "films", ["train": Self.noise(100_000, 3)])
        let inputs = ["model": base, "dataset": data]
        let adapted = try save(
            "model", nil, ["a": Self.noise(400_000, 4), "b": Self.noise(900, 2)], inputs: inputs, license: "apache-2.0")
        return try save(
            "run", "critic", ["log": Self.noise(2_000, 5)], attributes: ["model": .string(adapted.description)], inputs: inputs)
    }

    /// Whether every byte of every artifact can be read.
    func isWhole() throws -> Bool { try verify().isClean }

    var digests: Set<Digest> { get throws { Set(try list().map(\.digest)) } }
}

extension RetryPolicy {
    /// Does not make a test wait.
    static let impatient = RetryPolicy(attempts: 5, firstPause: 0.01, longestPause: 0.05, longestRetryAfter: 5)
}

/// The code of the `RemoteError` that `body` throws; nil if it throws nothing.
func remoteCode<Result>(_ body: () throws -> Result) throws -> RemoteError.Code? {
    do {
        _ = try body()
        return nil
    } catch let error as RemoteError {
        return error.code
    }
}
