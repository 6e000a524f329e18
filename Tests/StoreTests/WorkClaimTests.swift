import Foundation
import Synchronization
import Testing

@testable import Store

@Suite struct WorkClaimTests {
    private let key = Digest(of: Array("work".utf8)), other = Digest(of: Array("other work".utf8))

    @Test func `one holder at a time has a piece of work, in any process that uses the store`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open(), second = try folder.open()
        let claim = try #require(try store.claim(work: key))
        #expect(try store.claim(work: key) == nil)
        #expect(try second.claim(work: key) == nil)
        #expect(try second.claim(work: other) != nil)
        claim.release()
        let next = try #require(try second.claim(work: key))
        claim.release()
        #expect(try store.claim(work: key) == nil, "a claim that was released before takes nobody's lock")
        next.release()
    }

    @Test func `a claim ends with its last reference and leaves no file`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        var claim = try store.claim(work: key)
        let claims = folder.store.appending(path: "locks/claims")
        #expect(try FileManager.default.contentsOfDirectory(atPath: claims.path()) == [key.hex])
        withExtendedLifetime(claim) {}
        claim = nil
        #expect(try FileManager.default.contentsOfDirectory(atPath: claims.path()) == [])
        // What a killed process leaves is no claim.
        try Data().write(to: claims.appending(path: key.hex))
        #expect(try store.claim(work: key) != nil)
    }

    @Test func `a lock whose file was removed while it was waited for is taken on a new file`() throws {
        let folder = try TemporaryFolder(), path = folder.url.appending(path: "lock").path(), files = LocalFileSystem()
        let first = try #require(try files.lock(path, exclusive: true, wait: true))
        let waiting = DispatchGroup(), second = Mutex<(any FileLock)?>(nil)
        DispatchQueue.global().async(group: waiting) {
            let lock = try? files.lock(path, exclusive: true, wait: true)
            second.withLock { $0 = lock }
        }
        Thread.sleep(forTimeInterval: 0.2)
        try files.remove(path)
        first.release()
        waiting.wait()
        #expect(second.withLock { $0 != nil } && FileManager.default.fileExists(atPath: path))
        #expect(try files.lock(path, exclusive: true, wait: false) == nil)
    }

    @Test func `a collection removes what killed holders left, and no claim`() throws {
        let folder = try TemporaryFolder()
        let store = try folder.open()
        let claim = try #require(try store.claim(work: key)), claims = folder.store.appending(path: "locks/claims")
        try Data().write(to: claims.appending(path: other.hex))
        try folder.open().collect()
        #expect(try FileManager.default.contentsOfDirectory(atPath: claims.path()) == [key.hex])
        #expect(try store.claim(work: key) == nil)
        claim.release()
    }

    @Test func `a store that is only read has no work to claim`() throws {
        let folder = try TemporaryFolder()
        _ = try folder.open()
        #expect(try code { _ = try folder.open(.readOnly).claim(work: key) } == .readOnly)
    }
}
