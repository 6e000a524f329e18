import Foundation
import Testing

@testable import Store

@Suite struct DigestTests {
    @Test func `equals the published digests of known bytes`() {
        #expect(
            Digest(of: Array("abc".utf8)).hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(Digest(of: []).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func `parses its own description and nothing else`() throws {
        let digest = Digest(of: [1, 2, 3])
        #expect(try Digest(parsing: digest.description) == digest)
        #expect(Digest(rawBytes: digest.rawBytes) == digest)
        let hex = digest.hex
        let malformed: [String] = [
            "", hex, "sha256:", "sha256:\(hex.uppercased())", "sha256:\(hex.dropLast())", "sha256:\(hex)0",
            "sha512:\(hex)",
            "SHA256:\(hex)", " sha256:\(hex)", "sha256:\(hex)\n", "sha256:../\(hex.dropFirst(3))",
            "sha256:\(hex.dropLast(2))zz", "sha256:\(hex.dropLast(1))\u{661}",
        ]
        for text in malformed {
            #expect(Digest(text) == nil, "\(text)")
            #expect(try code { _ = try Digest(parsing: text) } == .invalidDigest)
        }
    }

    @Test func `sorts as its hexadecimal digits do`() {
        let digests = (0..<50).map { Digest(of: [UInt8($0)]) }
        #expect(digests.sorted().map(\.hex) == digests.map(\.hex).sorted())
    }

    @Test func `refuses a malformed digest in Codable data`() throws {
        let digest = Digest(of: [9])
        let data = try JSONEncoder().encode([digest])
        #expect(try JSONDecoder().decode([Digest].self, from: data) == [digest])
        #expect(throws: (any Error).self) { try JSONDecoder().decode([Digest].self, from: Data(#"["../x"]"#.utf8)) }
    }
}
