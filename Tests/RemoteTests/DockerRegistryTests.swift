import Foundation
import Store
import Testing

@testable import Remote

/// Against Debian's `docker-registry`: the reference implementation of the distribution specification.
@Suite(.enabled(if: installed("docker-registry") != nil, "docker-registry is not installed: apt-get install docker-registry"))
struct DockerRegistryTests {
    private func remote(_ port: Int) throws -> RegistryRemote {
        let (address, _) = try RegistryAddress.parse("oci://127.0.0.1:\(port)/team/critic")
        return RegistryRemote(RegistryClient(address, TransferContext(), policy: .impatient) { nil })
    }

    /// 24 MB in blobs of up to 12 MB, more than one portion of an upload.
    private func models(_ here: Store) throws -> (first: Digest, sibling: Digest) {
        let shared = ["a": Store.noise(12_000_000, 1), "b": Store.noise(12_000_000, 2)]
        return (
            try here.save("model", "first", shared.merging(["head": Store.noise(100_000, 3)]) { $1 }),
            try here.save("model", "sibling", shared.merging(["head": Store.noise(100_000, 4)]) { $1 })
        )
    }

    @Test func aTransferCutTenTimesEachWayEndsWholeAndASiblingMovesOnlyWhatIsNew() throws {
        let exchange = try Exchange(), here = try exchange.store(), (first, sibling) = try models(here)
        let registry = try Server(dockerRegistry: installed("docker-registry")!, in: exchange.folder("registry"))
        let upload = try Server("proxy", ["--target", "\(registry.port)", "--cuts", "10", "--after", "3000000"])
        let sent = try remote(upload.port).push(Shipment(first, of: here, name: "first"), replace: false, TransferContext())
        #expect(try upload.stop().count { $0 == "cut" } == 10)
        #expect(sent.movedBlobCount == 3 && sent.movedBytes >= 24_000_000)

        let second = try remote(registry.port).push(Shipment(sibling, of: here, name: "sibling"), replace: false, TransferContext())
        #expect(second.movedBlobCount == 1 && second.skippedBlobCount == 2)
        #expect((100_000..<110_000).contains(second.movedBytes), "\(second)")

        let download = try Server("proxy", ["--target", "\(registry.port)", "--cuts", "10", "--after", "2000000"])
        let other = try exchange.store("other")
        let delivery = try remote(download.port).pull("first", kind: nil, into: other, lineage: true, TransferContext())
        #expect(try download.stop().count { $0 == "cut" } == 10)
        #expect(delivery.digest == first)
        #expect((24_000_000..<24_300_000).contains(delivery.report.movedBytes), "what had arrived is not asked for again")
        #expect(try other.isWhole() && other.digests == [first])

        let last = try remote(registry.port).pull("sibling", kind: nil, into: other, lineage: true, TransferContext())
        #expect(last.digest == sibling && last.report.movedBlobCount == 1 && last.report.movedBytes < 110_000)
        #expect(try other.isWhole())
    }

    @Test func artifactsOfEveryShapeFit() throws {
        let exchange = try Exchange(), here = try exchange.store(), run = try here.saveRun()
        let empty = try here.save("evaluation", "empty", [:], inputs: ["run": run])
        let hollow = try here.save("evaluation", "hollow", ["nothing": []], inputs: ["run": run])
        let registry = try Server(dockerRegistry: installed("docker-registry")!, in: exchange.folder("registry"))
        let other = try exchange.store("other")
        for (name, digest) in [("critic", run), ("empty", empty), ("hollow", hollow)] {
            _ = try remote(registry.port).push(Shipment(digest, of: here, name: name), replace: false, TransferContext())
            #expect(try remote(registry.port).pull(name, kind: nil, into: other, lineage: true, TransferContext()).digest == digest)
        }
        #expect(try other.isWhole() && other.digests == here.digests)
        let code = try remoteCode {
            try remote(registry.port).pull(nil, kind: nil, into: other, lineage: true, TransferContext())
        }
        #expect(code == .ambiguous)
    }
}
