import Foundation
import Store
import Synchronization

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// The one HTTP client behind all remotes: URLSession, made to wait for, with its own handling of redirections.
///
/// Credentials never leave the host that they are for, and nothing but loopback is spoken to without TLS.
final class HTTPClient: Sendable {
    static let largestAnswer = 64 << 20
    private static let mostRedirections = 5

    /// Seconds without a byte in either direction after which a request is given up.
    let idleLimit: Double
    let context: TransferContext
    private let session: URLSession
    private let delegate = SessionDelegate()

    init(_ context: TransferContext, idleLimit: Double = 60) {
        (self.context, self.idleLimit) = (context, idleLimit)
        let configuration = URLSessionConfiguration.ephemeral
        // The exchange has a clock of its own, which counts silence and not length.
        configuration.timeoutIntervalForRequest = 86_400
        configuration.timeoutIntervalForResource = 7 * 86_400
        configuration.urlCache = nil
        configuration.httpCookieStorage = nil
        configuration.urlCredentialStorage = nil
        session = Self.session(configuration, delegate)
    }

    private static func session(_ configuration: URLSessionConfiguration, _ delegate: SessionDelegate) -> URLSession {
        let queue = OperationQueue()
        queue.maxConcurrentOperationCount = 1
        return URLSession(configuration: configuration, delegate: delegate, delegateQueue: queue)
    }

    deinit { session.invalidateAndCancel() }

    /// Sends a request and takes the whole answer, which may have any status.
    ///
    /// - Throws: `RemoteError` with code `invalidAddress` or `unexpectedAnswer`; `URLError`; `TransferInterrupted`.
    func send(_ request: HTTPRequest, limit: Int = largestAnswer, followsRedirections: Bool = true) throws -> HTTPAnswer {
        let body = Mutex(Data())
        let head = try perform(request, followsRedirections: followsRedirections) { _ in
        } onData: { portion in
            try body.withLock { body in
                body += portion
                guard body.count <= limit else {
                    throw RemoteError(
                        .unexpectedAnswer, operation: "take an answer", place: request.url.absoluteString,
                        expected: "at most \(limit) bytes", found: "more")
                }
            }
        }
        return HTTPAnswer(head: head, body: body.withLock { $0 })
    }

    /// Sends a request and hands the answer over while it comes.
    func perform(
        _ request: HTTPRequest, onHead: @escaping @Sendable (HTTPHead) throws -> Void,
        onData: @escaping @Sendable (Data) throws -> Void
    ) throws -> HTTPHead {
        try perform(request, followsRedirections: true, onHead: onHead, onData: onData)
    }

    private func perform(
        _ request: HTTPRequest, followsRedirections: Bool, onHead: @escaping @Sendable (HTTPHead) throws -> Void,
        onData: @escaping @Sendable (Data) throws -> Void
    ) throws -> HTTPHead {
        var request = request
        for _ in 0...Self.mostRedirections {
            try Self.check(request.url)
            // The body of a redirection is of no interest.
            let isRedirected = Mutex(false), sent = request
            let head = try once(sent) { head in
                if followsRedirections, Self.target(of: head, sent) != nil { isRedirected.withLock { $0 = true } } else { try onHead(head) }
            } onData: { data in
                if !isRedirected.withLock({ $0 }) { try onData(data) }
            }
            guard followsRedirections, let target = Self.target(of: head, request) else { return head }
            if !Self.isSameOrigin(target, request.url) { request.headers["Authorization"] = nil }
            if head.status == 303 { (request.method, request.body) = ("GET", nil) }
            request.url = target
        }
        throw RemoteError(
            .unexpectedAnswer, operation: "follow an address", place: request.url.absoluteString,
            expected: "at most \(Self.mostRedirections) redirections", found: "more")
    }

    private func once(
        _ request: HTTPRequest, onHead: @escaping @Sendable (HTTPHead) throws -> Void,
        onData: @escaping @Sendable (Data) throws -> Void
    ) throws -> HTTPHead {
        if context.isCancelled() { throw TransferInterrupted() }
        var message = URLRequest(url: request.url)
        message.httpMethod = request.method
        message.httpBody = request.body
        message.httpShouldHandleCookies = false
        // Sizes and ranges are of the bytes as they are.
        message.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
        message.setValue("pipeline", forHTTPHeaderField: "User-Agent")
        if request.body != nil, request.headers["Content-Type"] == nil {
            message.setValue("application/octet-stream", forHTTPHeaderField: "Content-Type")
        }
        for (name, value) in request.headers { message.setValue(value, forHTTPHeaderField: name) }
        let exchange = HTTPExchange(onHead: onHead, onData: onData)
        // A body that fails on a connection used before is rewound and stalls, so it gets a new connection.
        let isLong = (request.body?.count ?? 0) > 0
        let delegate = isLong ? SessionDelegate() : delegate
        let session = isLong ? Self.session(session.configuration, delegate) : session
        defer { if isLong { session.finishTasksAndInvalidate() } }
        let task = session.dataTask(with: message)
        delegate.add(exchange, for: task)
        task.resume()
        do {
            return try exchange.wait(idleLimit: idleLimit, isCancelled: context.isCancelled) { task.cancel() }
        } catch is TransferInterruptedByCaller {
            throw TransferInterrupted()
        }
    }

    /// Where an answer sends us; nil if it does not.
    private static func target(of head: HTTPHead, _ request: HTTPRequest) -> URL? {
        guard [301, 302, 303, 307, 308].contains(head.status), ["GET", "HEAD"].contains(request.method) || head.status >= 307
        else { return nil }
        return head.headers["location"].flatMap { URL(string: $0, relativeTo: head.url)?.absoluteURL }
    }

    private static func isSameOrigin(_ a: URL, _ b: URL) -> Bool {
        a.scheme == b.scheme && a.host?.lowercased() == b.host?.lowercased() && a.port == b.port
    }

    // MARK: Addresses

    /// Refuses an address that is not one of the web, or would carry data in the clear beyond this machine.
    static func check(_ url: URL) throws {
        guard let scheme = url.scheme?.lowercased(), let host = url.host, !host.isEmpty else {
            throw RemoteError(.invalidAddress, operation: "use an address", place: url.absoluteString, expected: "https://HOST/…")
        }
        if scheme == "https" || (scheme == "http" && isLoopback(host)) { return }
        throw RemoteError(
            .invalidAddress, operation: "use an address", place: url.absoluteString, expected: "https",
            found: scheme, advice: "plain http is spoken with this machine only")
    }

    static func isLoopback(_ host: String) -> Bool {
        let host = host.lowercased().trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

/// Hands what URLSession tells to the exchange of its task.
private final class SessionDelegate: NSObject, URLSessionDataDelegate, Sendable {
    private let exchanges = Mutex<[Int: HTTPExchange]>([:])

    func add(_ exchange: HTTPExchange, for task: URLSessionTask) {
        exchanges.withLock { $0[task.taskIdentifier] = exchange }
    }

    private func exchange(_ task: URLSessionTask) -> HTTPExchange? { exchanges.withLock { $0[task.taskIdentifier] } }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        completionHandler(nil)
    }

    /// URLSession keeps an answer that asks for a password to itself, where it knows none.
    func urlSession(
        _ session: URLSession, task: URLSessionTask, didReceive challenge: URLAuthenticationChallenge,
        completionHandler: @escaping @Sendable (URLSession.AuthChallengeDisposition, URLCredential?) -> Void
    ) {
        guard let head = HTTPHead(challenge.failureResponse) else { return completionHandler(.performDefaultHandling, nil) }
        if let exchange = exchanges.withLock({ $0.removeValue(forKey: task.taskIdentifier) }) {
            _ = exchange.receive(head: head)
            exchange.finish(nil)
        }
        completionHandler(.cancelAuthenticationChallenge, nil)
    }

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
    ) {
        guard let exchange = exchange(dataTask), let head = HTTPHead(response) else { return completionHandler(.cancel) }
        completionHandler(exchange.receive(head: head) ? .allow : .cancel)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        if exchange(dataTask)?.receive(data: data) == false { dataTask.cancel() }
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, didSendBodyData bytesSent: Int64, totalBytesSent: Int64,
        totalBytesExpectedToSend: Int64
    ) {
        exchange(task)?.moved()
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        let exchange = exchanges.withLock { $0.removeValue(forKey: task.taskIdentifier) }
        // Of a redirection that is not followed, only the task itself knows the answer.
        if error == nil, let exchange, let head = HTTPHead(task.response), [301, 302, 303, 307, 308].contains(head.status) {
            _ = exchange.receive(head: head)
        }
        exchange?.finish(error)
    }
}
