import Foundation
import Store
import Testing

@testable import Remote

@Suite struct FolderRemoteTests {
    @Test func aRunTravelsWithItsModelItsInputsAndItsName() throws {
        let exchange = try Exchange(), here = try exchange.store(), run = try here.saveRun()
        let remote = FolderRemote(exchange.path("there"))
        let sent = try remote.push(Shipment(run, of: here, name: "critic"), replace: false, TransferContext())
        #expect(sent.artifactCount == 4 && sent.skippedBytes == 0)
        let there = try exchange.store("there")
        #expect(try there.digests == here.digests)
        #expect(try there.reference(kind: "run", name: "critic")?.digest == run)
        #expect(try there.isWhole())
        let other = try exchange.store("other")
        let delivery = try remote.pull("critic", kind: nil, into: other, lineage: true, TransferContext())
        #expect(delivery.digest == run && delivery.name == "critic" && delivery.artifact.kind == "run")
        #expect(delivery.report.movedBytes == sent.movedBytes)
        #expect(try other.isWhole() && other.digests == here.digests)
        let license = try here.artifact(run).provenance.inputs["model"].map { try other.artifact($0).provenance.license }
        #expect(license == "apache-2.0")
    }

    @Test func withoutLineageOnlyTheArtifactAndItsPartsTravel() throws {
        let exchange = try Exchange(), here = try exchange.store(), run = try here.saveRun()
        let remote = FolderRemote(exchange.path("there"))
        _ = try remote.push(Shipment(run, of: here, lineage: false, name: "critic"), replace: false, TransferContext())
        let there = try exchange.store("there")
        #expect(try there.list().map(\.kind).sorted() == ["model", "run"])
        let delivery = try remote.pull("critic", kind: nil, into: exchange.store("other"), lineage: true, TransferContext())
        #expect(delivery.absent == Set(try here.artifact(run).provenance.inputs.values))
    }

    @Test func onlyWhatTheOtherSideLacksTravels() throws {
        let exchange = try Exchange(), here = try exchange.store()
        let shared = Store.noise(800_000, 1), own = Store.noise(100_000, 2)
        let first = try here.save("model", "first", ["shared": shared, "own": Store.noise(100_000, 3)])
        let second = try here.save("model", "second", ["shared": shared, "own": own])
        let remote = FolderRemote(exchange.path("there"))
        _ = try remote.push(Shipment(first, of: here, name: "first"), replace: false, TransferContext())
        let report = try remote.push(Shipment(second, of: here, name: "second"), replace: false, TransferContext())
        #expect(report.movedBlobCount == 1 && report.skippedBlobCount == 1)
        #expect((100_000..<105_000).contains(report.movedBytes) && report.skippedBytes >= 800_000)
        let again = try remote.push(Shipment(second, of: here, name: "second"), replace: false, TransferContext())
        #expect(again.movedBytes == 0)
    }

    @Test func aNameInUseIsKeptUnlessItIsToBeReplaced() throws {
        let exchange = try Exchange(), here = try exchange.store()
        let first = try here.save("model", nil, ["a": Store.noise(80_000, 1)])
        let second = try here.save("model", nil, ["a": Store.noise(80_000, 2)])
        let remote = FolderRemote(exchange.path("there"))
        _ = try remote.push(Shipment(first, of: here, name: "m"), replace: false, TransferContext())
        #expect(
            try remoteCode { try remote.push(Shipment(second, of: here, name: "m"), replace: false, TransferContext()) } == .nameInUse)
        #expect(try exchange.store("there").digests == [first], "nothing travels for a refused name")
        _ = try remote.push(Shipment(second, of: here, name: "m"), replace: true, TransferContext())
        #expect(try exchange.store("there").reference(kind: "model", name: "m")?.digest == second)
    }

    @Test func withoutANameTheOnlyOneIsMeant() throws {
        let exchange = try Exchange(), there = try exchange.store("there"), here = try exchange.store()
        let remote = FolderRemote(exchange.path("there"))
        #expect(try remoteCode { try remote.pull(nil, kind: nil, into: here, lineage: true, TransferContext()) } == .notFound)
        let model = try there.save("model", "one", ["a": Store.noise(80_000, 1)])
        try there.memoize(Digest(of: [1]), model)
        #expect(try remote.pull(nil, kind: nil, into: here, lineage: true, TransferContext()).digest == model)
        try there.save("model", "two", ["a": Store.noise(80_000, 2)])
        #expect(try remoteCode { try remote.pull(nil, kind: nil, into: here, lineage: true, TransferContext()) } == .ambiguous)
    }

    @Test func damageDoesNotTravel() throws {
        let exchange = try Exchange(), here = try exchange.store()
        let model = try here.save("model", "m", ["a": Store.noise(300_000, 1)])
        let blob = try #require(here.artifact(model).blobs.first?.digest)
        let file = exchange.path("here/blobs/sha256/\(blob.hex.prefix(2))/\(blob.hex.dropFirst(2))")
        var bytes = try Data(contentsOf: file)
        bytes[200_000] ^= 1
        try bytes.write(to: file)
        let places: [any Remote] = [FolderRemote(exchange.path("there")), BundleRemote(exchange.path("m.pipeline"))]
        for remote in places {
            #expect(throws: StoreError.self) { try remote.push(Shipment(model, of: here, name: "m"), replace: false, TransferContext()) }
        }
        #expect(try exchange.store("there").digests.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: exchange.path("m.pipeline").path()))
    }
}
