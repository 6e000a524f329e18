import Foundation

@testable import Store

/// A folder for one test. All of them are removed when the tests end, so that none can go while a store still works in
/// it.
struct TemporaryFolder: Sendable {
    let url: URL

    private static let root: URL = {
        let root = FileManager.default.temporaryDirectory.appending(path: "store-tests-\(UUID().uuidString)")
        atexit { try? FileManager.default.removeItem(at: TemporaryFolder.root) }
        return root
    }()

    init() throws {
        url = Self.root.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    var store: URL { url.appending(path: "store") }

    func open(_ mode: Store.Mode = .readWrite) throws -> Store { try Store(at: store, mode: mode, tool: "tests 1") }

    /// The regular files under the store with paths relative to it; the index, locks and temporary files are left out.
    func contentFiles() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: store.path()).filter { path in
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: store.appending(path: path).path(), isDirectory: &isFolder)
            return !isFolder.boolValue
                && ["blobs/", "artifacts/", "refs/"].contains { path.hasPrefix($0) }
        }.sorted()
    }
}

/// A small generator with a seed (SplitMix64), so that every failure can be had again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        for index in 0..<count { bytes[index] = UInt8(truncatingIfNeeded: next()) }
        return bytes
    }

    /// Floats spread like weights: small, of both signs, with a full mantissa.
    mutating func weights(_ count: Int) -> [UInt8] {
        var floats: [Float] = []
        floats.reserveCapacity(count)
        for _ in 0..<count {
            let sum = (0..<4).reduce(Float(0)) { sum, _ in sum + Float.random(in: -1...1, using: &self) }
            floats.append(sum * 0.02)
        }
        return floats.withUnsafeBytes { Array($0) }
    }
}

extension SeededGenerator {
    /// Floats of every class beside one another: NaNs with payloads, infinities, zeros of both signs, denormals, the
    /// largest and the smallest, ordinary ones and noise.
    mutating func oddFloats(_ count: Int) -> [UInt8] {
        let special: [UInt32] = [
            0, 0x8000_0000, 1, 0x8000_0001, 0x007f_ffff, 0x0080_0000, 0x7f7f_ffff, 0xff7f_ffff, 0x7f80_0000, 0xff80_0000,
            0x7f80_0001, 0x7fc0_0000, 0xffff_ffff, 0x3f80_0000, 0xbf80_0000,
        ]
        return (0..<count).flatMap { _ -> [UInt8] in
            let choice = Int(next() % 24)
            let word = choice < special.count ? special[choice] : UInt32(truncatingIfNeeded: next())
            return withUnsafeBytes(of: word.littleEndian) { Array($0) }
        }
    }

    /// Rows of 256 floats like weights, in turn full, with 13 and with 16 low bits zero, and all zero.
    mutating func mixedRows(_ count: Int) -> [UInt8] {
        var words = weights(count).withUnsafeBytes { Array($0.bindMemory(to: UInt32.self)) }
        let masks: [UInt32] = [~0, ~0x1fff, ~0xffff, 0]
        for index in words.indices { words[index] &= masks[index / 256 % 4] }
        return words.withUnsafeBytes { Array($0) }
    }

    /// Floats a step of training away from others; `decay` multiplies those of every second row of 256 and nothing
    /// else happens to them.
    mutating func adapted(_ base: [UInt8], step: Float, decay: Float = 1) -> [UInt8] {
        var floats = base.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        for index in floats.indices {
            if index / 256 % 2 == 0 { floats[index] += Float.random(in: -step...step, using: &self) } else {
                floats[index] *= decay
            }
        }
        return floats.withUnsafeBytes { Array($0) }
    }
}

extension Provenance {
    static let example = Provenance(
        stage: "import", stageVersion: 1, recipe: ["cased": true], inputs: [:], source: ["file": "model.safetensors"],
        license: "apache-2.0")
}

extension Store {
    /// Saves ranges as a model.
    @discardableResult
    func save(
        _ ranges: [String: [UInt8]], kind: String = "model", attributes: JSONValue = [:],
        inputs: [String: Digest] = [:]
    ) throws -> Digest {
        let writer = try writer()
        for (name, bytes) in ranges.sorted(by: { $0.key < $1.key }) { try writer.add(name: name, data: bytes) }
        var provenance = Provenance.example
        provenance.inputs = inputs
        return try writer.commit(kind: kind, attributes: attributes, provenance: provenance)
    }

    /// All ranges of an artifact.
    func load(_ digest: Digest) throws -> [String: [UInt8]] {
        try artifact(digest).blobs.reduce(into: [:]) { $0[$1.name] = Array(try data($1)) }
    }
}

/// The repository's root: the nearest folder above with a Package.swift and Schemas.
func repositoryFile(_ path: String, from file: String = #filePath) -> URL {
    var folder = URL(filePath: file).deletingLastPathComponent()
    while folder.path != "/" {
        let candidate = folder.appending(path: path)
        if FileManager.default.fileExists(atPath: candidate.path()) { return candidate }
        folder = folder.deletingLastPathComponent()
    }
    preconditionFailure("no \(path) above \(file)")
}

/// The code of the StoreError that `body` throws; nil if it throws nothing.
func code(_ body: () throws -> Void) throws -> StoreError.Code? {
    do {
        try body()
        return nil
    } catch let error as StoreError {
        return error.code
    }
}
