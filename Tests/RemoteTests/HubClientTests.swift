import Foundation
import Store
import Testing

@testable import Remote

@Suite struct HubClientTests {
    /// A repository with weights of two megabytes in one file or two shards.
    private func repository(_ exchange: Exchange, sharded: Bool = false) throws -> URL {
        let folder = try exchange.folder("repository")
        func put(_ name: String, _ bytes: [UInt8]) throws { try Data(bytes).write(to: folder.appending(path: name)) }
        try put("config.json", Array(#"{"model_type":"bert"}"#.utf8))
        try put("vocab.txt", Array("[PAD]\n[UNK]\n".utf8))
        try put("README.md", Array("---\nlicense: mit\n---\n".utf8))
        try put("pytorch_model.bin", Store.noise(1_000, 9))
        if sharded {
            try put("model-1.safetensors", Store.noise(1_000_000, 1))
            try put("model-2.safetensors", Store.noise(1_000_000, 2))
            try put("unused.safetensors", Store.noise(1_000, 3))
            try put(
                "model.safetensors.index.json",
                Array(#"{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors","c":"model-1.safetensors"}}"#.utf8))
        } else {
            try put("model.safetensors", Store.noise(2_000_000, 1))
        }
        return folder
    }

    private func client(_ server: Server, token: String? = nil, _ context: TransferContext = TransferContext()) -> HubClient {
        var environment = ["HF_ENDPOINT": "http://127.0.0.1:\(server.port)/"]
        environment["HF_TOKEN"] = token
        return HubClient(environment, context, policy: .impatient)
    }

    private func fetch(_ faults: [String], sharded: Bool = false, token: String? = nil, times: Int = 1) throws
        -> (server: Server, report: TransferReport, names: [String])
    {
        let exchange = try Exchange(), source = try repository(exchange, sharded: sharded)
        let server = try Server("hub", [source.path()] + faults), client = client(server, token: token)
        let target = exchange.path("download")
        var report = TransferReport()
        for _ in 0..<times { report = try client.fetch(client.revision(HubAddress("hf:org/tiny")), into: target) }
        let names = try FileManager.default.contentsOfDirectory(atPath: target.path()).sorted()
        for name in names {
            #expect(try Data(contentsOf: target.appending(path: name)) == Data(contentsOf: source.appending(path: name)), "\(name)")
        }
        return (server, report, names)
    }

    @Test func onlyTheFilesThatAnImportReadsAreFetched() throws {
        let (_, report, names) = try fetch([])
        #expect(names == ["README.md", "config.json", "model.safetensors", "vocab.txt"])
        #expect((2_000_000..<2_001_000).contains(report.movedBytes))
    }

    @Test func shardsAreFetchedByTheirIndex() throws {
        #expect(
            try fetch([], sharded: true).names == [
                "README.md", "config.json", "model-1.safetensors", "model-2.safetensors", "model.safetensors.index.json", "vocab.txt",
            ])
    }

    @Test(arguments: [["--cuts", "5"], ["--busy", "3"], ["--bare-list"], ["--bare-list", "--cuts", "2"]])
    func faultsThatPassAreOutlived(faults: [String]) throws { _ = try fetch(faults) }

    @Test func whatWasFetchedIsNotFetchedAgain() throws {
        let (server, report, _) = try fetch([], times: 2)
        #expect(report.movedBytes == 0 && report.skippedBytes > 2_000_000)
        #expect(try server.log().count { $0.contains("/large/") } == 1)
    }

    @Test func aCutFileGoesOnWhereItStopped() throws {
        let (server, _, _) = try fetch(["--cuts", "1"])
        #expect(try server.log().contains { $0.contains("/large/") && !$0.hasSuffix("-") && !$0.contains("bytes=0-") })
    }

    @Test(arguments: ["model.safetensors", "vocab.txt"])
    func wrongBytesAreRefused(name: String) throws {
        #expect(try remoteCode { try fetch(["--corrupt", name]) } == .wrongContent)
        #expect(try remoteCode { try fetch(["--grow", name]) } == .wrongContent)
    }

    @Test func whatTheHubRefusesIsToldWithWhatToTry() throws {
        let exchange = try Exchange(), server = try Server("hub", [repository(exchange).path(), "--token", "hf_x"])
        for token in [nil, "hf_wrong"] {
            #expect(try remoteCode { try client(server, token: token).revision(HubAddress("hf:org/tiny")) } == .unauthorized)
        }
        let admitted = client(server, token: "hf_x")
        #expect(try admitted.revision(HubAddress("hf:org/tiny@v1")).commit.hasPrefix("0123"))
        #expect(try remoteCode { try admitted.revision(HubAddress("hf:org/other")) } == .notFound)
        #expect(try remoteCode { try admitted.revision(HubAddress("hf:org/tiny@v9")) } == .notFound)
        // The large file's host answers 400 to credentials that are not for it.
        try admitted.fetch(admitted.revision(HubAddress("hf:org/tiny")), into: exchange.path("download"))
    }

    @Test func aRepositoryWithoutSafetensorsSaysSo() throws {
        let exchange = try Exchange(), folder = try repository(exchange)
        try FileManager.default.removeItem(at: folder.appending(path: "model.safetensors"))
        let server = try Server("hub", [folder.path()]), client = client(server)
        #expect(try remoteCode { try client.fetch(client.revision(HubAddress("hf:org/tiny")), into: exchange.path("d")) } == .notFound)
    }

    @Test func aLongRequestedPauseIsNotWaitedFor() throws {
        #expect(try remoteCode { try fetch(["--busy", "2", "--retry-after", "100000"]) } == .unavailable)
    }
}
