import Foundation
import Store
import Testing

@testable import Remote

@Suite struct BundleRemoteTests {
    private func bundle(_ exchange: Exchange, lineage: Bool = true) throws -> (remote: BundleRemote, store: Store, run: Digest) {
        let here = try exchange.store(), run = try here.saveRun()
        let remote = BundleRemote(exchange.path("critic.pipeline"))
        _ = try remote.push(Shipment(run, of: here, lineage: lineage, name: "critic"), replace: false, TransferContext())
        return (remote, here, run)
    }

    @Test func whatWentInComesOut() throws {
        let exchange = try Exchange(), (remote, here, run) = try bundle(exchange), other = try exchange.store("other")
        let delivery = try remote.pull(nil, kind: nil, into: other, lineage: true, TransferContext())
        #expect(delivery.digest == run && delivery.name == "critic")
        #expect(try other.digests == here.digests && other.isWhole())
        let size = try Data(contentsOf: exchange.path("critic.pipeline")).count
        #expect(delivery.report.movedBytes <= size && delivery.report.movedBytes > size - 40_000)
        let again = try remote.pull("critic", kind: nil, into: other, lineage: true, TransferContext())
        #expect(again.report.movedBytes == 0 && again.report.skippedBytes == delivery.report.movedBytes)
        #expect(try remoteCode { try remote.pull("cynic", kind: nil, into: other, lineage: true, TransferContext()) } == .notFound)
    }

    @Test func aPullWithoutLineageTakesOnlyTheArtifactAndItsParts() throws {
        let exchange = try Exchange(), (remote, _, _) = try bundle(exchange), other = try exchange.store("other")
        _ = try remote.pull(nil, kind: nil, into: other, lineage: false, TransferContext())
        #expect(try other.list().map(\.kind).sorted() == ["model", "run"])
        #expect(try other.isWhole() && other.usage().unreferencedCount == 0)
    }

    @Test func equalContentMakesEqualBytes() throws {
        let first = try Exchange(), second = try Exchange()
        _ = try bundle(first)
        _ = try bundle(second)
        #expect(try Data(contentsOf: first.path("critic.pipeline")) == Data(contentsOf: second.path("critic.pipeline")))
    }

    @Test func anotherProgramReadsItAsAnImageLayout() throws {
        let exchange = try Exchange()
        _ = try bundle(exchange)
        let folder = try exchange.folder("layout")
        let tar = Process()
        tar.executableURL = URL(filePath: "/usr/bin/env")
        tar.arguments = ["tar", "-xf", exchange.path("critic.pipeline").path(), "-C", folder.path()]
        try tar.run()
        tar.waitUntilExit()
        #expect(tar.terminationStatus == 0)
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path() + "/blobs/sha256") {
            #expect(try Digest(contentsOf: folder.appending(path: "blobs/sha256/\(name)")).hex == name)
        }
        let index = try JSONValue(parsing: Data(contentsOf: folder.appending(path: "index.json")))
        let manifest = try #require(index["manifests"]?.arrayValue?.first?["digest"]?.stringValue).dropFirst(7)
        let text = try JSONValue(parsing: Data(contentsOf: folder.appending(path: "blobs/sha256/\(manifest)")))
        #expect(text["annotations"]?["org.opencontainers.image.title"] == "critic")
        #expect(try JSONValue(parsing: Data(contentsOf: folder.appending(path: "oci-layout")))["imageLayoutVersion"] == "1.0.0")
    }

    @Test func aModelCarriesTheModelSpecificationsConfiguration() throws {
        let exchange = try Exchange(), here = try exchange.store()
        let model = try here.save("model", "m", ["a": Store.noise(400_000, 1)], license: "mit")
        let consignment = try Consignment(Shipment(model, of: here, name: "m")) { false }
        let manifest = try OCIManifest(parsing: consignment.manifest)
        #expect(manifest.artifactType == "application/vnd.cncf.model.manifest.v1+json")
        guard case .bytes(let bytes) = consignment.parts[0].content else { throw StoreError(.notFound, operation: "read") }
        let configuration = try JSONValue(parsing: bytes)
        #expect(configuration["descriptor"]?["licenses"] == ["mit"])
        #expect(configuration["config"]?["paramSize"] == "100.0k")
        #expect(configuration["config"]?["precision"] == "float32")
        #expect(configuration["modelfs"]?["diffIds"]?.arrayValue?.count == manifest.layers.count)
        #expect(manifest.annotations["org.opencontainers.image.licenses"] == "mit")
    }

    /// Every byte belongs to a checked header, a checked content, or zeros that stand for nothing.
    @Test func aChangedByteIsNoticedOrMeansNothing() throws {
        let exchange = try Exchange(), (remote, here, run) = try bundle(exchange)
        let file = exchange.path("critic.pipeline"), bytes = try Data(contentsOf: file)
        var noticed = 0
        let count = 60
        for index in 0..<count {
            var changed = bytes
            // The first half among the headers and manifests at the front, the others anywhere.
            let offset = index < count / 2 ? index * 16_384 / (count / 2) : bytes.count / count * index
            changed[offset] ^= 0x20
            try changed.write(to: file)
            let other = try exchange.store("other-\(index)")
            do {
                _ = try remote.pull(nil, kind: nil, into: other, lineage: true, TransferContext())
                #expect(try other.digests == here.digests && other.isWhole(), "byte \(offset)")
            } catch let error as RemoteError {
                noticed += 1
                #expect(error.advice != nil)
                #expect(try !other.digests.contains(run), "byte \(offset)")
            }
            try FileManager.default.removeItem(at: exchange.path("other-\(index)"))
        }
        #expect(noticed > count / 2)
    }

    @Test func aCutFileIsRefused() throws {
        let exchange = try Exchange(), (remote, _, _) = try bundle(exchange)
        let file = exchange.path("critic.pipeline"), bytes = try Data(contentsOf: file)
        for length in [0, 511, 512, 5_000, bytes.count / 2, bytes.count - 1_024] {
            try bytes.prefix(length).write(to: file)
            #expect(
                try remoteCode { try remote.pull(nil, kind: nil, into: exchange.store("other"), lineage: true, TransferContext()) }
                    == .wrongContent, "\(length) bytes")
        }
    }

    @Test func aFileInTheWayIsKept() throws {
        let exchange = try Exchange(), (remote, here, run) = try bundle(exchange)
        let shipment = try Shipment(run, of: here, lineage: false, name: "critic")
        #expect(try remoteCode { try remote.push(shipment, replace: false, TransferContext()) } == .nameInUse)
        let before = try Data(contentsOf: exchange.path("critic.pipeline")).count
        _ = try remote.push(shipment, replace: true, TransferContext())
        #expect(try Data(contentsOf: exchange.path("critic.pipeline")).count < before)
        let context = TransferContext(isCancelled: { true })
        #expect(throws: TransferInterrupted.self) { try remote.push(shipment, replace: true, context) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: exchange.url.path()).sorted() == ["critic.pipeline", "here"])
    }

    @Test func membersOfAnySizeKeepTheirSize() throws {
        for size in [0, 1, 511, (1 << 33) - 1, 1 << 33, 1 << 40] {
            let parsed = try #require(try TarArchive.parse(TarArchive.header("blobs/x", size: size)))
            #expect(parsed.size == size && parsed.name == "blobs/x" && parsed.isFile)
        }
        var header = TarArchive.header("blobs/x", size: 5)
        header[0] ^= 1
        #expect(throws: TarArchive.Fault.self) { try TarArchive.parse(header) }
    }
}
