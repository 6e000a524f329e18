import Foundation
import Store
import Synchronization

/// Something that can carry a request: the client itself, or one that adds credentials.
protocol HTTPCarrier: Sendable {
    func perform(
        _ request: HTTPRequest, onHead: @escaping @Sendable (HTTPHead) throws -> Void,
        onData: @escaping @Sendable (Data) throws -> Void
    ) throws -> HTTPHead
}

extension HTTPClient: HTTPCarrier {}

/// Fills a file from an address in ranges, from where the file ends.
///
/// Ranges bound the memory that a fast server and a slow disk can take, and the loss when a connection is cut.
struct HTTPDownload {
    static let rangeByteCount = 32 << 20

    let carrier: any HTTPCarrier
    let context: TransferContext
    let policy: RetryPolicy

    /// - Parameters:
    ///   - byteCount: of the whole, as announced; more is refused at once, less is an error.
    ///   - refuse: makes an error of an answer that is neither success nor passing trouble.
    ///   - progress: told of portions as they arrive.
    func fetch(
        _ request: HTTPRequest, into file: PartialFile, byteCount: Int, refuse: (HTTPAnswer) -> RemoteError,
        progress: @escaping @Sendable (Int) -> Void
    ) throws {
        if file.byteCount > byteCount { try file.restart() }
        while file.byteCount < byteCount {
            try policy.run(context, place: request.url.absoluteString, progress: { file.byteCount }) {
                try fetchRange(request, file, byteCount, refuse, progress)
            }
        }
    }

    private func fetchRange(
        _ request: HTTPRequest, _ file: PartialFile, _ byteCount: Int, _ refuse: (HTTPAnswer) -> RemoteError,
        _ progress: @escaping @Sendable (Int) -> Void
    ) throws {
        let start = file.byteCount
        var request = request
        let end = start + min(Self.rangeByteCount, byteCount - start)
        request.headers["Range"] = "bytes=\(start)-\(end - 1)"
        let place = request.url.absoluteString
        /// Bytes of a whole answer to pass over; nil for an answer that is not content.
        let toSkip = Mutex<Int?>(nil)
        let complaint = Mutex(Data())
        let head = try carrier.perform(request) { head in
            switch head.status {
            case 206:
                let range = head.contentRange
                guard range?.start == start, range?.total ?? byteCount == byteCount else {
                    throw Self.wrongLength(place, "bytes from \(start) of \(byteCount)", head.headers["content-range"])
                }
                toSkip.withLock { $0 = 0 }
            case 200:
                guard head.contentLength ?? byteCount == byteCount else {
                    throw Self.wrongLength(place, "\(byteCount) bytes", head.headers["content-length"])
                }
                toSkip.withLock { $0 = start }
            default: break
            }
        } onData: { data in
            guard let skip = toSkip.withLock({ $0 }) else {
                return complaint.withLock { if $0.count < 4096 { $0 += data.prefix(4096) } }
            }
            let taken = data.dropFirst(skip)
            toSkip.withLock { $0 = skip - (data.count - taken.count) }
            guard taken.count <= byteCount - file.byteCount else {
                throw Self.wrongLength(place, "\(byteCount) bytes", "more")
            }
            try taken.withUnsafeBytes { try file.append($0) }
            progress(taken.count)
        }
        if head.isSuccess, toSkip.withLock({ $0 }) != nil {
            guard file.byteCount > start else {
                throw RetryPolicy.Transient(
                    error: RemoteError(
                        .unavailable, operation: "fetch", place: place, expected: "\(byteCount) bytes", found: "\(start)",
                        advice: "run the command again: it goes on where it stopped"))
            }
            return
        }
        let answer = HTTPAnswer(head: head, body: complaint.withLock { $0 })
        try answer.throwIfTransient(place)
        throw refuse(answer)
    }

    private static func wrongLength(_ place: String, _ expected: String, _ found: String?) -> RemoteError {
        RemoteError(
            .wrongContent, operation: "fetch", place: place, expected: expected, found: found ?? "no length",
            advice: "the other side's content is not what it announced; ask who keeps it")
    }
}
