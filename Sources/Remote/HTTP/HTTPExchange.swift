import Foundation
import Synchronization

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// One request on its way: takes what URLSession tells and lets another thread wait for it.
final class HTTPExchange: Sendable {
    private struct State {
        var head: HTTPHead?
        var failure: (any Error)?
        var isDone = false
        var lastActivity = DispatchTime.now()
    }

    private let state = Mutex(State())
    private let finished = DispatchSemaphore(value: 0)
    private let onHead: @Sendable (HTTPHead) throws -> Void
    private let onData: @Sendable (Data) throws -> Void

    /// - Parameters:
    ///   - onHead: sees the head before the body; throwing gives the exchange up.
    ///   - onData: takes the body in portions, on one thread; throwing gives the exchange up.
    init(onHead: @escaping @Sendable (HTTPHead) throws -> Void, onData: @escaping @Sendable (Data) throws -> Void) {
        (self.onHead, self.onData) = (onHead, onData)
    }

    /// Waits for the end.
    ///
    /// - Parameters:
    ///   - idleLimit: seconds without a byte in either direction after which the exchange is given up.
    ///   - cancel: gives the task up.
    /// - Throws: what the closures threw; `TransferInterrupted`; `URLError`.
    func wait(idleLimit: Double, isCancelled: () -> Bool, cancel: () -> Void) throws -> HTTPHead {
        while finished.wait(timeout: .now() + .milliseconds(100)) == .timedOut {
            if isCancelled() { fail(TransferInterruptedByCaller()) }
            let (isFailed, idle) = state.withLock { state in
                (state.failure != nil, Double(DispatchTime.now().uptimeNanoseconds - state.lastActivity.uptimeNanoseconds) * 1e-9)
            }
            if idle > idleLimit { fail(URLError(.timedOut)) }
            if isFailed || idle > idleLimit { cancel() }
        }
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            guard let head = state.head else { throw URLError(.badServerResponse) }
            return head
        }
    }

    private func fail(_ error: any Error) { state.withLock { $0.failure = $0.failure ?? error } }

    func moved() { state.withLock { $0.lastActivity = .now() } }

    /// False gives the exchange up.
    func receive(head: HTTPHead) -> Bool {
        state.withLock { state in
            state.head = head
            state.lastActivity = .now()
        }
        do { try onHead(head) } catch {
            fail(error)
            return false
        }
        return true
    }

    /// False gives the exchange up.
    func receive(data: Data) -> Bool {
        moved()
        guard state.withLock({ $0.failure == nil }) else { return false }
        do { try onData(data) } catch {
            fail(error)
            return false
        }
        return true
    }

    func finish(_ error: (any Error)?) {
        state.withLock { state in
            if let error { state.failure = state.failure ?? error }
            state.isDone = true
        }
        finished.signal()
    }
}

/// The caller asked to stop.
struct TransferInterruptedByCaller: Error {}
