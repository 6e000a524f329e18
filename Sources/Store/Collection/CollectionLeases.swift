import Foundation
import Synchronization

/// The lock between writers, who share it while they need what lies in the store, and a collection, which holds it alone.
///
/// Locks are taken in the order collector, gate, collection, references, and end with the process that holds them.
final class CollectionLeases: Sendable {
    private struct State: Sendable {
        var lock: (any FileLock)?
        var count = 0
    }

    private let layout: StoreLayout
    private let files: any FileSystem
    private let state = Mutex(State())

    init(layout: StoreLayout, files: any FileSystem) {
        self.layout = layout
        self.files = files
    }

    /// Keeps collections away until it is released. Leases of one store object share one lock, so that a second one never waits.
    func lease() throws -> any FileLock {
        try state.withLock { state in
            if state.count == 0 {
                let gate = try files.lock(layout.gateLock, exclusive: false, wait: true)
                defer { gate?.release() }
                guard let lock = try files.lock(layout.collectionLock, exclusive: false, wait: true) else {
                    throw StoreError(.busy, operation: "begin to write", path: layout.collectionLock)
                }
                state.lock = lock
            }
            state.count += 1
        }
        return Lease(self)
    }

    private func end() {
        state.withLock { state in
            state.count -= 1
            if state.count == 0 {
                state.lock?.release()
                state.lock = nil
            }
        }
    }

    private final class Lease: FileLock {
        private let leases: CollectionLeases
        private let isHeld = Mutex(true)

        init(_ leases: CollectionLeases) { self.leases = leases }

        deinit { release() }

        func release() {
            let wasHeld = isHeld.withLock { isHeld in
                defer { isHeld = false }
                return isHeld
            }
            if wasHeld { leases.end() }
        }
    }

    /// Holds the store alone: waits for the writers at work, while new ones wait at the gate, for at most `seconds`.
    ///
    /// - Throws: `StoreError` with code `busy` when they are still at work then.
    func alone(waiting seconds: Double) throws -> [any FileLock] {
        let gate = try files.lock(layout.gateLock, exclusive: true, wait: true)
        let end = Date().addingTimeInterval(seconds)
        while true {
            if let lock = try files.lock(layout.collectionLock, exclusive: true, wait: false) {
                return [lock] + [gate].compactMap { $0 }
            }
            guard Date() < end else { break }
            Thread.sleep(forTimeInterval: 0.005)
        }
        gate?.release()
        throw StoreError(
            .busy, operation: "collect", path: layout.collectionLock, expected: "no writer at work", found: "one that goes on",
            advice: "run the command again when it is done; nothing was removed")
    }
}
