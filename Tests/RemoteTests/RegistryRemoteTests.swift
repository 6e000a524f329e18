import Foundation
import Store
import Testing

@testable import Remote

@Suite struct RegistryRemoteTests {
    private func remote(
        _ server: Server, credentials: RegistryCredentials? = nil, _ context: TransferContext = TransferContext()
    ) throws -> RegistryRemote {
        let (address, _) = try RegistryAddress.parse("oci://127.0.0.1:\(server.port)/test")
        return RegistryRemote(RegistryClient(address, context, policy: .impatient) { credentials })
    }

    private static let ann = RegistryCredentials(user: "ann", password: "secret")

    private func roundTrip(_ faults: [String], credentials: RegistryCredentials? = nil) throws -> (server: Server, report: TransferReport) {
        let exchange = try Exchange(), server = try Server("registry", faults)
        let here = try exchange.store(), run = try here.saveRun()
        let remote = try remote(server, credentials: credentials)
        _ = try remote.push(Shipment(run, of: here, name: "critic"), replace: false, TransferContext())
        let other = try exchange.store("other")
        let delivery = try remote.pull(nil, kind: nil, into: other, lineage: true, TransferContext())
        #expect(delivery.digest == run && delivery.name == "critic")
        #expect(try other.digests == here.digests && other.isWhole())
        #expect(try FileManager.default.contentsOfDirectory(atPath: other.location.path() + "/staging/partial").isEmpty)
        return (server, delivery.report)
    }

    @Test func whatWentInComesOut() throws {
        let (server, _) = try roundTrip([])
        let log = try server.log()
        let tag = try #require(log.firstIndex { $0.hasPrefix("PUT /v2/test/manifests/critic") })
        #expect(!log[tag...].contains { $0.contains("uploads") }, "the tag moves last")
    }

    @Test(arguments: [
        ["--cuts", "5"], ["--upload-cuts", "3"], ["--upload-cuts", "3", "--forgetful"], ["--busy", "3"], ["--no-range"],
        ["--no-range", "--cuts", "3"],
    ])
    func faultsThatPassAreOutlived(faults: [String]) throws { _ = try roundTrip(faults) }

    @Test func aCutDownloadGoesOnWhereItStopped() throws {
        let (server, _) = try roundTrip(["--cuts", "1"])
        let ranges = try server.log().filter { $0.hasPrefix("GET /v2/test/blobs/") && $0.contains("bytes=") && !$0.contains("bytes=0-") }
        #expect(ranges.count == 1, "\(ranges)")
    }

    @Test(arguments: [["--auth", "basic"], ["--auth", "bearer"], ["--auth", "bearer", "--token-uses", "3"]])
    func credentialsAreGivenWhereTheyAreAskedFor(faults: [String]) throws {
        _ = try roundTrip(faults, credentials: Self.ann)
        for wrong in [nil, RegistryCredentials(user: "ann", password: "guess")] {
            #expect(try remoteCode { try roundTrip(faults, credentials: wrong) } == .unauthorized)
        }
    }

    @Test func aServerThatStaysBusyIsGivenUp() throws {
        #expect(try remoteCode { try roundTrip(["--busy", "1000"]) } == .unavailable)
    }

    @Test func wrongBytesAreFetchedAgainOnceIfTheyMayBeStaleAndThenRefused() throws {
        let exchange = try Exchange(), server = try Server("registry", ["--lie-about-digest"])
        let here = try exchange.store(), model = try here.save("model", "m", ["a": Store.noise(300_000, 1)])
        let remote = try remote(server)
        _ = try remote.push(Shipment(model, of: here, name: "m"), replace: false, TransferContext())
        let other = try exchange.store("other")
        #expect(try remoteCode { try remote.pull("m", kind: nil, into: other, lineage: true, TransferContext()) } == .wrongContent)
        #expect(try other.digests.isEmpty && other.usage().storedBytes == 0)
    }

    @Test func aChangedByteOnTheWayIsRefusedAndTheNextAttemptIsFresh() throws {
        let exchange = try Exchange(), here = try exchange.store(), other = try exchange.store("other")
        let model = try here.save("model", "m", ["a": Store.noise(300_000, 1)])
        let server = try Server("registry", ["--corrupt", "2"]), remote = try remote(server)
        _ = try remote.push(Shipment(model, of: here, name: "m"), replace: false, TransferContext())
        // The first is the store's manifest, the second the blob.
        for _ in 0..<2 {
            #expect(try remoteCode { try remote.pull("m", kind: nil, into: other, lineage: true, TransferContext()) } == .wrongContent)
            #expect(try other.digests.isEmpty)
        }
        #expect(try remote.pull("m", kind: nil, into: other, lineage: true, TransferContext()).digest == model)
        #expect(try other.isWhole())
    }

    @Test func anInterruptedPullIsContinuedByTheNext() throws {
        let exchange = try Exchange(), here = try exchange.store(), other = try exchange.store("other")
        let model = try here.save("model", "m", ["a": Store.noise(3_000_000, 1), "b": Store.noise(3_000_000, 2)])
        let server = try Server("registry", ["--cuts", "1"])
        _ = try remote(server).push(Shipment(model, of: here, name: "m"), replace: false, TransferContext())
        let hasBegun = Flag()
        let context = TransferContext(progress: { done, _ in if done > 1_000_000 { hasBegun.raise() } }, isCancelled: { hasBegun.isRaised })
        #expect(throws: TransferInterrupted.self) {
            try remote(server, context).pull("m", kind: nil, into: other, lineage: true, context)
        }
        let delivery = try remote(server).pull("m", kind: nil, into: other, lineage: true, TransferContext())
        #expect(delivery.report.skippedBytes >= 1_000_000, "\(delivery.report)")
        #expect(delivery.report.movedBytes < 5_500_000)
        #expect(try other.isWhole() && other.digests == [model])
    }

    @Test func tagsThatAreInUseAreKept() throws {
        let exchange = try Exchange(), here = try exchange.store(), server = try Server("registry"), remote = try remote(server)
        let first = try here.save("model", nil, ["a": Store.noise(80_000, 1)])
        let second = try here.save("model", nil, ["a": Store.noise(80_000, 2)])
        _ = try remote.push(Shipment(first, of: here, name: "m"), replace: false, TransferContext())
        #expect(try remote.push(Shipment(first, of: here, name: "m"), replace: false, TransferContext()).movedBlobCount == 0)
        #expect(
            try remoteCode { try remote.push(Shipment(second, of: here, name: "m"), replace: false, TransferContext()) } == .nameInUse)
        _ = try remote.push(Shipment(second, of: here, name: "m"), replace: true, TransferContext())
        let other = try exchange.store("other")
        #expect(try remote.pull("m", kind: nil, into: other, lineage: true, TransferContext()).digest == second)
        #expect(try remoteCode { try remote.pull("n", kind: nil, into: other, lineage: true, TransferContext()) } == .notFound)
    }

    @Test func foreignManifestsAreDistrusted() throws {
        let exchange = try Exchange(), here = try exchange.store(), other = try exchange.store("other")
        let model = try here.save("model", "m", ["a": Store.noise(300_000, 1)])
        let consignment = try Consignment(Shipment(model, of: here, name: "m")) { false }
        let honest = try OCIManifest(parsing: consignment.manifest)
        struct Contents: OCISource {
            let place = "test"
            var bytes: [Digest: [UInt8]]
            func content(_ descriptor: OCIDescriptor) throws -> [UInt8] { bytes[descriptor.digest] ?? [] }
            func fill(_ file: PartialFile, _ descriptor: OCIDescriptor, progress: @escaping @Sendable (Int) -> Void) throws {
                try bytes[descriptor.digest]?.withUnsafeBytes { try file.append($0) }
            }
        }
        var source = Contents(bytes: [:])
        for (descriptor, content) in consignment.parts {
            switch content {
            case .bytes(let bytes): source.bytes[descriptor.digest] = bytes
            case .blob(let digest):
                let blob = try here.encodedBlob(digest)
                var bytes = [UInt8](repeating: 0, count: blob.byteCount)
                try bytes.withUnsafeMutableBytes { try blob.read(into: $0, at: 0) }
                source.bytes[descriptor.digest] = bytes
            }
        }
        func refuses(_ change: (inout OCIManifest) -> Void) throws -> Bool {
            var manifest = honest
            change(&manifest)
            do {
                _ = try Arrival(manifest, from: source).take(into: other, lineage: true, TransferContext())
                return false
            } catch is RemoteError { return true } catch is StoreError { return true }
        }
        #expect(try refuses { $0.annotations["pipeline.artifact"] = nil })
        #expect(try refuses { $0.annotations["pipeline.artifact"] = "sha256:../../etc/passwd" })
        #expect(try refuses { $0.annotations["pipeline.artifact"] = Digest(of: [1]).description })
        #expect(try refuses { $0.annotations["pipeline.kind"] = "run" })
        #expect(try refuses { $0.layers.removeLast() })
        #expect(try refuses { $0.layers[1].annotations["pipeline.plain.digest"] = "x" })
        #expect(try refuses { $0.layers[1].annotations["pipeline.plain.size"] = "1" })
        #expect(try refuses { $0.layers[1].size = 1 << 50 })
        #expect(try refuses { $0.layers[0].size = .max })
        #expect(try refuses { $0.layers[1].digest = $0.layers[0].digest })
        #expect(try other.digests.isEmpty)
        #expect(try !refuses { _ in })
        for text in ["", "[]", "{}", #"{"schemaVersion":1,"layers":[]}"#, #"{"schemaVersion":2,"layers":[{}],"config":{}}"#] {
            #expect(try remoteCode { try OCIManifest(parsing: text.utf8) } == .unexpectedAnswer, "\(text)")
        }
    }

    @Test func credentialsComeFromTheEnvironmentThenFromDocker() throws {
        let exchange = try Exchange(), folder = try exchange.folder(".docker")
        let environment = ["HOME": exchange.url.path()]
        #expect(try RegistryCredentials.find(host: "h:1", environment) == nil)
        try Data(#"{"auths":{"h:1":{"auth":"YW5uOnNlOmNyZXQ="}}}"#.utf8).write(to: folder.appending(path: "config.json"))
        #expect(try RegistryCredentials.find(host: "h:1", environment) == RegistryCredentials(user: "ann", password: "se:cret"))
        #expect(try RegistryCredentials.find(host: "h:2", environment) == nil)
        let both = environment.merging(["PIPELINE_REGISTRY_USER": "bob", "PIPELINE_REGISTRY_PASSWORD": "x"]) { $1 }
        #expect(try RegistryCredentials.find(host: "h:1", both) == RegistryCredentials(user: "bob", password: "x"))
        #expect(try remoteCode { try RegistryCredentials.find(host: "h", ["PIPELINE_REGISTRY_USER": "bob"]) } == .unauthorized)
        try Data("not JSON".utf8).write(to: folder.appending(path: "config.json"))
        #expect(try remoteCode { try RegistryCredentials.find(host: "h:1", environment) } == .unauthorized)
    }
}

/// A flag that several threads may see.
final class Flag: @unchecked Sendable {
    private let lock = NSLock()
    private var value = false
    func raise() { lock.withLock { value = true } }
    var isRaised: Bool { lock.withLock { value } }
}
