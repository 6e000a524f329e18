import Foundation
import Store

/// How often, and after which pauses, something that failed in passing is tried again.
struct RetryPolicy: Sendable {
    /// Attempts in a row that bring nothing new.
    var attempts = 6
    /// Seconds before the second attempt; doubled before each further one.
    var firstPause = 0.5
    var longestPause = 30.0
    /// A server that asks for a longer pause is not waited for.
    var longestRetryAfter = 300.0

    /// A failure that may pass.
    struct Transient: Error {
        let error: RemoteError
        /// Seconds that the other side asks to wait.
        var pause: Double?
    }

    /// Runs `body` until it returns or fails for good.
    ///
    /// - Parameter progress: a number that grows when an attempt brought something; then the count begins anew.
    /// - Throws: `RemoteError` with code `unavailable` after the last attempt.
    func run<Result>(
        _ context: TransferContext, place: String, progress: () -> Int = { 0 }, _ body: () throws -> Result
    ) throws -> Result {
        var failures = 0
        var mark = progress()
        while true {
            let transient: Transient
            do {
                return try body()
            } catch let error as Transient {
                transient = error
            } catch let error as URLError {
                transient = Transient(error: Self.describe(error, place))
            }
            if progress() > mark { failures = 0 }
            mark = progress()
            failures += 1
            let pause = max(min(firstPause * pow(2, Double(failures - 1)), longestPause), transient.pause ?? 0)
            guard failures < attempts, pause <= longestRetryAfter else { throw transient.error }
            if pause >= 2 { context.note("\(transient.error); trying again in \(Int(pause.rounded())) s") }
            try Self.sleep(pause, context)
        }
    }

    private static func sleep(_ seconds: Double, _ context: TransferContext) throws {
        let end = Date().addingTimeInterval(seconds)
        while true {
            if context.isCancelled() { throw TransferInterrupted() }
            let left = end.timeIntervalSinceNow
            if left <= 0 { return }
            Thread.sleep(forTimeInterval: min(left, 0.1))
        }
    }

    private static func describe(_ error: URLError, _ place: String) -> RemoteError {
        let reason: String
        switch error.code {
        case .timedOut: reason = "silence for too long"
        case .cannotFindHost, .dnsLookupFailed: reason = "no such host"
        case .cannotConnectToHost: reason = "no connection"
        case .networkConnectionLost: reason = "the connection was cut"
        case .secureConnectionFailed, .serverCertificateUntrusted, .serverCertificateHasBadDate,
            .serverCertificateHasUnknownRoot, .serverCertificateNotYetValid:
            reason = "no trusted TLS connection"
        default: reason = error.localizedDescription
        }
        return RemoteError(
            .unavailable, operation: "reach the other side", place: place, found: reason,
            advice: "check the address and the network, and run the command again: it goes on where it stopped")
    }
}

extension HTTPAnswer {
    /// Throws what makes the retry policy ask again; returns if the status is not of that kind.
    func throwIfTransient(_ place: String) throws {
        guard head.isTransient else { return }
        throw RetryPolicy.Transient(
            error: RemoteError(
                .unavailable, operation: "get an answer", place: place, found: complaint,
                advice: "run the command again later: it goes on where it stopped"), pause: head.retryAfter)
    }
}
