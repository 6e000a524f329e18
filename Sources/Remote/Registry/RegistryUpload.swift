import Foundation
import Store

/// One blob on its way into a registry: in portions, going on where the registry says, begun anew where it cannot say.
final class RegistryUpload {
    private static let largestPortion = 8 << 20
    private static let smallestPortion = 512 << 10

    private let client: RegistryClient
    private let descriptor: OCIDescriptor
    private let read: (_ offset: Int, _ count: Int) throws -> Data
    /// Where the next portion goes; nil before the upload is opened.
    private var location: URL?
    /// Bytes that the registry has confirmed.
    private(set) var confirmed = 0
    /// Of bodies that the registry took, also those of attempts begun anew.
    private(set) var sentByteCount = 0
    /// The furthest that any attempt came.
    private var furthest = 0
    private var restarts = 0
    /// Halved by each failure: a poor line lets small portions through.
    private var portion = largestPortion
    private static let mostRestarts = 100

    init(_ client: RegistryClient, _ descriptor: OCIDescriptor, read: @escaping (Int, Int) throws -> Data) {
        (self.client, self.descriptor, self.read) = (client, descriptor, read)
    }

    /// - Parameter progress: told of confirmed bytes beyond what it was told before.
    func run(progress: (Int) -> Void) throws {
        try client.policy.run(client.context, place: client.place, progress: { sentByteCount }) {
            do {
                try attempt(progress)
            } catch let error as URLError {
                recover()
                throw error
            } catch let error as RetryPolicy.Transient {
                recover()
                throw error
            }
        }
    }

    private func attempt(_ progress: (Int) -> Void) throws {
        if location == nil { try begin() }
        while confirmed < descriptor.size {
            let count = min(portion, descriptor.size - confirmed)
            let answer = try client.carrier.send(
                HTTPRequest(
                    "PATCH", location!, headers: ["Content-Range": "\(confirmed)-\(confirmed + count - 1)"],
                    body: read(confirmed, count)))
            try answer.throwIfTransient(client.place)
            if [404, 416].contains(answer.status) {
                try startAnew(answer)
                continue
            }
            guard answer.head.isSuccess else { throw client.refuse("send a blob", answer) }
            location = try next(answer) ?? location
            confirmed += count
            sentByteCount += count
            if confirmed > furthest {
                progress(confirmed - furthest)
                furthest = confirmed
            }
        }
        try end()
    }

    private func begin() throws {
        let answer = try client.carrier.send(HTTPRequest("POST", client.url("blobs/uploads/"), body: Data()))
        try answer.throwIfTransient(client.place)
        guard answer.status == 202 || answer.status == 201, let location = try next(answer) else {
            throw client.refuse("begin to send a blob", answer)
        }
        self.location = location
        confirmed = 0
    }

    private func end() throws {
        guard var parts = URLComponents(url: location!, resolvingAgainstBaseURL: true) else { preconditionFailure("a URL has parts") }
        // Registries keep their own facts in the query, percent-encoded as they like it.
        let own = parts.percentEncodedQuery.map { $0.isEmpty ? "" : $0 + "&" } ?? ""
        parts.percentEncodedQuery = own + "digest=" + descriptor.digest.description.replacingOccurrences(of: ":", with: "%3A")
        let answer = try client.carrier.send(HTTPRequest("PUT", parts.url!, body: Data()))
        try answer.throwIfTransient(client.place)
        if answer.head.isSuccess { return }
        // Something was lost or doubled on the way, or the registry forgot the upload.
        guard [400, 404, 416].contains(answer.status) else { throw client.refuse("send a blob", answer) }
        try startAnew(answer)
        throw RetryPolicy.Transient(error: client.refuse("send a blob", answer))
    }

    private func startAnew(_ answer: HTTPAnswer) throws {
        restarts += 1
        guard restarts <= Self.mostRestarts else { throw client.refuse("send a blob", answer) }
        location = nil
        try begin()
    }

    /// Asks the registry how much it has; if it cannot say, the blob is sent anew.
    private func recover() {
        portion = max(Self.smallestPortion, portion / 2)
        guard let known = location else { return }
        location = nil
        guard let answer = try? client.carrier.send(HTTPRequest("GET", known)), answer.status == 204,
            let range = answer.head.headers["range"], let last = range.split(separator: "-").last.flatMap({ Int($0) }),
            let next = try? next(answer) ?? known
        else { return }
        // An empty upload says 0-0, and so does one of a single byte: the former is the safe reading.
        let count = last == 0 ? 0 : last + 1
        guard count <= descriptor.size else { return }
        (location, confirmed) = (next, count)
    }

    private func next(_ answer: HTTPAnswer) throws -> URL? {
        guard let text = answer.head.headers["location"] else { return nil }
        guard let url = URL(string: text, relativeTo: answer.head.url)?.absoluteURL else {
            throw client.refuse("follow the registry", answer)
        }
        return url
    }
}
