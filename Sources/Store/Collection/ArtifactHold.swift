import Synchronization

/// Keeps an artifact from collection for as long as it lives. In a store opened read-only it keeps nothing, for nothing may be written.
public final class ArtifactHold: Sendable {
    private let end: @Sendable () -> Void
    private let isHeld = Mutex(true)

    init(end: @escaping @Sendable () -> Void) { self.end = end }

    deinit { release() }

    public func release() {
        let wasHeld = isHeld.withLock { isHeld in
            defer { isHeld = false }
            return isHeld
        }
        if wasHeld { end() }
    }
}
