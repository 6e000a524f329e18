import Foundation
import Testing

@testable import Store

@Suite struct ArtifactTests {
    static func example() throws -> Artifact {
        var provenance = Provenance.example
        provenance.inputs = ["model": Digest(of: [1])]
        return Artifact(
            kind: "run", attributes: ["steps": 3, "metrics": ["f1": 0.5]],
            blobs: [
                BlobReference(
                    name: "b", digest: Digest(of: [2]), byteCount: 80_000, blobByteCount: 80_000,
                    elementType: "float32",
                    shape: [200, 100]),
                BlobReference(name: "a", digest: Digest(of: [3]), offset: 8, byteCount: 4, blobByteCount: 64),
            ], provenance: provenance)
    }

    @Test func `reads back its own manifest`() throws {
        let artifact = try Self.example()
        #expect(try Artifact(manifest: artifact.manifest()) == artifact)
        #expect(artifact.blobs.map(\.name) == ["a", "b"])
    }

    @Test func `has a digest that depends on nothing but its content`() throws {
        // From another JSON writer with sorted keys and no spaces. A change here breaks every store there is.
        #expect(
            Digest(of: try Self.example().manifest()).hex
                == "6bbb826ba161aabad0b53fa61e7ff4903436d35f7838f8b59c3209bf76fcbc13")
    }

    @Test func `refuses a manifest that is not exactly right`() throws {
        let text = String(decoding: try Self.example().manifest(), as: UTF8.self)
        let changes: [(String, String)] = [
            (#""kind":"run""#, #""kind":"Run""#), (#""kind":"run","#, ""), (#""offset":8"#, #""offset":61"#),
            (#""offset":8"#, #""offset":-1"#), (#""offset":8"#, #""offset":8.0"#), (#""offset":8"#, #""offset":"8""#),
            (#""name":"a""#, #""name":"b""#), (#""name":"a""#, #""name":"../a""#),
            (#""name":"a""#, #""name":"a","x":1"#),
            (#""shape":[200,100]"#, #""shape":[200,101]"#), ("float32", "float33"), ("sha256:", "sha256:.."),
            (#""schemaVersion":1"#, #""schemaVersion":0"#), (#""schemaVersion":1"#, #""schemaVersion":2"#),
            (#""stage":"import""#, #""stage":null"#), ("{", " {"), (#""steps":3"#, #""steps":3,"steps":3"#),
        ]
        for (old, new) in changes {
            let range = try #require(text.range(of: old), "\(old)")
            let changed = text.replacingCharacters(in: range, with: new)
            #expect(throws: StoreError.self, "\(new)") { try Artifact(manifest: Array(changed.utf8)) }
        }
        #expect(try code { _ = try Artifact(manifest: Array(text.utf8).dropLast()) } == .invalidJSON)
        let newer = text.replacingOccurrences(of: #""schemaVersion":1"#, with: #""schemaVersion":2"#)
        #expect(try code { _ = try Artifact(manifest: Array(newer.utf8)) } == .newerFormat)
    }

    @Test func `makes the stage key from what decides the result`() throws {
        let key = try Provenance.example.stageKey()
        var other = Provenance.example
        other.license = nil
        other.source = .null
        #expect(try other.stageKey() == key)
        for change in [
            { (p: inout Provenance) in p.stage = "x" }, { $0.stageVersion = 2 }, { $0.recipe = ["cased": false] },
            { $0.inputs = ["model": Digest(of: [])] },
        ] {
            var other = Provenance.example
            change(&other)
            #expect(try other.stageKey() != key)
        }
    }
}
