import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A request as the remotes make it.
struct HTTPRequest {
    var method = "GET"
    var url: URL
    var headers: [String: String] = [:]
    /// Always in memory: long bodies are sent in portions of some mebibytes.
    var body: Data?

    init(_ method: String = "GET", _ url: URL, headers: [String: String] = [:], body: Data? = nil) {
        (self.method, self.url, self.headers, self.body) = (method, url, headers, body)
    }
}

/// The head of an answer.
struct HTTPHead: Sendable {
    let status: Int
    /// Names in lower case.
    let headers: [String: String]
    /// Where the answer came from, after redirections.
    let url: URL

    init(status: Int, headers: [String: String], url: URL) {
        (self.status, self.headers, self.url) = (status, headers, url)
    }

    init?(_ response: URLResponse?) {
        guard let response = response as? HTTPURLResponse, let url = response.url else { return nil }
        var headers: [String: String] = [:]
        for (name, value) in response.allHeaderFields {
            if let name = name as? String, let value = value as? String { headers[name.lowercased()] = value }
        }
        self.init(status: response.statusCode, headers: headers, url: url)
    }

    var isSuccess: Bool { (200..<300).contains(status) }
    /// Whether asking again later may help.
    var isTransient: Bool { [408, 429, 500, 502, 503, 504].contains(status) }

    /// Of the body; nil if the server does not say.
    var contentLength: Int? { headers["content-length"].flatMap { Int($0) } }

    /// Seconds to wait before asking again; nil if the server does not say or says a date.
    var retryAfter: Double? { headers["retry-after"].flatMap { Double($0) }.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil } }

    /// The first byte and the length of the whole that a `Content-Range` tells.
    var contentRange: (start: Int, total: Int?)? {
        guard let text = headers["content-range"], text.hasPrefix("bytes ") else { return nil }
        let parts = text.dropFirst(6).split(separator: "/", maxSplits: 1)
        guard parts.count == 2, let start = parts[0].split(separator: "-").first.flatMap({ Int($0) }) else { return nil }
        return (start, Int(parts[1]))
    }
}

/// A whole answer with its body in memory.
struct HTTPAnswer {
    let head: HTTPHead
    let body: Data

    var status: Int { head.status }

    /// A short text for messages: what the server says went wrong.
    var complaint: String {
        let text = String(decoding: body.prefix(500), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return "status \(status)" + (text.isEmpty ? "" : " " + RemoteError.printable(text))
    }
}
