import Foundation
import Store
import Synchronization

/// The Hugging Face hub's HTTP interface, or that of a mirror.
public struct HubClient: Sendable {
    static let weights = "model.safetensors"
    static let weightsIndex = "model.safetensors.index.json"
    static let tokenizerFiles = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
        "vocab.json", "merges.txt",
    ]
    /// Of an answer that lists files.
    private static let largestList = 64 << 20

    public let endpoint: String
    private let token: String?
    private let client: HTTPClient
    private let context: TransferContext
    private let policy: RetryPolicy

    /// - Parameter environment: `HF_ENDPOINT` is the hub's address, default `https://huggingface.co`; `HF_TOKEN` admits to
    ///   private and gated repositories.
    public init(
        _ context: TransferContext = TransferContext(), environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        self.init(environment, context, policy: RetryPolicy())
    }

    init(_ environment: [String: String], _ context: TransferContext, policy: RetryPolicy) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        var endpoint = value("HF_ENDPOINT") ?? "https://huggingface.co"
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        self.endpoint = endpoint
        token = value("HF_TOKEN")
        client = HTTPClient(context)
        (self.context, self.policy) = (context, policy)
    }

    private func request(_ path: String) throws -> HTTPRequest {
        guard let url = URL(string: "\(endpoint)/\(path)"), url.host != nil else {
            throw RemoteError(.invalidAddress, operation: "use the hub", place: endpoint, expected: "https://HOST as HF_ENDPOINT")
        }
        return HTTPRequest("GET", url, headers: token.map { ["Authorization": "Bearer \($0)"] } ?? [:])
    }

    private func refuse(_ address: String, _ answer: HTTPAnswer) -> RemoteError {
        switch answer.status {
        case 401, 403:
            RemoteError(
                .unauthorized, operation: "import \(address)", place: endpoint, found: answer.complaint,
                advice: token == nil
                    ? "check the spelling; for a private or gated repository set HF_TOKEN and accept its terms on the hub"
                    : "check that HF_TOKEN is of an account that has access and has accepted the terms")
        case 404:
            RemoteError(
                .notFound, operation: "import \(address)", place: endpoint, found: answer.complaint,
                advice: "check the spelling of repository and revision")
        default:
            RemoteError(
                .unexpectedAnswer, operation: "import \(address)", place: endpoint, found: answer.complaint,
                advice: "check HF_ENDPOINT, or try again later")
        }
    }

    /// What a repository holds at a revision.
    ///
    /// - Throws: `RemoteError` with code `notFound`, `unauthorized`, `unavailable` or `unexpectedAnswer`.
    public func revision(_ address: HubAddress) throws -> HubRevision {
        let name = "\(HubAddress.scheme)\(address.repository)"
        let escaped = address.revision.replacingOccurrences(of: "/", with: "%2F")
        let request = try request("api/models/\(address.repository)/revision/\(escaped)?blobs=true")
        let answer = try policy.run(context, place: endpoint) {
            let answer = try client.send(request, limit: Self.largestList)
            try answer.throwIfTransient(endpoint)
            return answer
        }
        guard answer.head.isSuccess else { throw refuse(name, answer) }
        guard let json = try? JSONValue(parsing: answer.body), let files = json["siblings"]?.arrayValue,
            let commit = json["sha"]?.stringValue, commit.wholeMatch(of: #/[0-9a-f]{40,64}/#) != nil
        else {
            throw RemoteError(
                .unexpectedAnswer, operation: "import \(name)", place: endpoint, expected: "a list of files with the commit",
                found: "something else", advice: "check HF_ENDPOINT")
        }
        return HubRevision(
            repository: address.repository, requested: address.revision, commit: commit, endpoint: endpoint,
            files: try files.map { try HubFile(json: $0) })
    }

    /// Fetches the files that an import reads into a folder; what lies there already and is right is not fetched again.
    ///
    /// - Returns: bytes that came over the network and bytes that were there.
    /// - Throws: `RemoteError`; `TransferInterrupted`, after which the same call goes on.
    @discardableResult
    public func fetch(_ revision: HubRevision, into folder: URL) throws -> TransferReport {
        do { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) } catch {
            throw RemoteError(
                .inputOutput, operation: "make a folder", place: folder.path, found: error.localizedDescription,
                advice: "check that there is space and permission")
        }
        let (first, index) = try revision.needed()
        var report = TransferReport()
        var tally = HubTally(total: first.reduce(0) { $0 + ($1.size ?? 0) })
        for file in first { try fetch(file, revision, folder, &report, &tally) }
        if let index {
            let shards = try Self.shards(folder.appendingPathComponent(index.name), revision)
            tally.total += shards.reduce(0) { $0 + ($1.size ?? 0) }
            for shard in shards { try fetch(shard, revision, folder, &report, &tally) }
        }
        return report
    }

    private func fetch(
        _ file: HubFile, _ revision: HubRevision, _ folder: URL, _ report: inout TransferReport, _ tally: inout HubTally
    ) throws {
        let target = folder.appendingPathComponent(file.name)
        if FileManager.default.fileExists(atPath: target.path), try file.fits(target) {
            let size = file.size ?? 0
            report.skippedBytes += size
            report.skippedBlobCount += 1
            tally.done += size
            return context.progress(tally.done, tally.total)
        }
        let escaped = file.name.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? file.name
        let request = try request("\(revision.repository)/resolve/\(revision.commit)/\(escaped)")
        let file = try file.size == nil || file.isUnchecked ? completed(file, request, revision) : file
        guard let size = file.size else { preconditionFailure("a completed file has a size") }
        let part = folder.appendingPathComponent(file.name + ".partial")
        for attempt in 1...2 {
            let partial = try PartialFile.open(part)
            let kept = min(partial.byteCount, size)
            let base = tally.done, total = max(tally.total, size), counter = HubCounter(kept), context = context
            try HTTPDownload(carrier: client, context: context, policy: policy).fetch(
                request, into: partial, byteCount: size,
                refuse: { refuse("\(HubAddress.scheme)\(revision.repository)", $0) },
                progress: { context.progress(base + counter.add($0), total) })
            try partial.sync()
            report.movedBytes += size - kept
            report.skippedBytes += kept
            if try file.fits(part) { break }
            try FileManager.default.removeItem(at: part)
            // The remains of an earlier attempt may be to blame; then a fresh one decides.
            guard attempt == 1, kept > 0 else {
                throw RemoteError(
                    .wrongContent, operation: "fetch \(file.name)", place: endpoint, expected: file.identity, found: "other bytes",
                    advice: "run the command again; if it fails again, the hub's copy or a proxy between is at fault")
            }
        }
        if rename(part.path, target.path) != 0 {
            throw RemoteError(.inputOutput, operation: "keep a file", place: target.path, found: String(cString: strerror(errno)))
        }
        report.movedBlobCount += 1
        tally.done += size
        context.progress(tally.done, tally.total)
    }

    /// Asks for size and checksum where the list has none.
    private func completed(_ file: HubFile, _ request: HTTPRequest, _ revision: HubRevision) throws -> HubFile {
        var head = request
        head.method = "HEAD"
        let answer = try policy.run(context, place: endpoint) {
            // The facts of a large file stand in the answer that sends us elsewhere for it.
            var answer = try client.send(head, followsRedirections: false)
            if !answer.head.isSuccess, answer.head.headers["x-linked-size"] == nil { answer = try client.send(head) }
            try answer.throwIfTransient(endpoint)
            return answer
        }
        guard answer.status < 400 else { throw refuse("\(HubAddress.scheme)\(revision.repository)", answer) }
        let completed = file.completed(by: answer.head)
        let commit = answer.head.headers["x-repo-commit"] ?? revision.commit
        guard completed.size != nil, !completed.isUnchecked, commit == revision.commit else {
            throw RemoteError(
                .unexpectedAnswer, operation: "fetch a file", place: request.url.absoluteString,
                expected: "its size, its checksum and commit \(revision.commit)",
                found: "size \(completed.size.map { "\($0)" } ?? "unknown"), \(completed.identity), commit "
                    + RemoteError.printable(commit, limit: 64),
                advice: "check HF_ENDPOINT: without a checksum nothing is taken")
        }
        return completed
    }

    /// The shards that an index names, each a file of the repository beside it.
    private static func shards(_ index: URL, _ revision: HubRevision) throws -> [HubFile] {
        func fault(_ found: String) -> RemoteError {
            RemoteError(
                .unexpectedAnswer, operation: "read \(weightsIndex)", expected: "the shards' names", found: found,
                advice: "the repository is not whole: tell its owner, or choose another revision")
        }
        guard let data = try? Data(contentsOf: index), let json = try? JSONValue(parsing: data),
            let map = json["weight_map"]?.objectValue
        else { throw fault("something else") }
        return try Set(map.values.compactMap(\.stringValue)).sorted().map { name in
            guard name.wholeMatch(of: #/[A-Za-z0-9_][A-Za-z0-9_.-]*\.safetensors/#) != nil, let file = revision.file(name) else {
                throw fault(RemoteError.printable(name, limit: 80))
            }
            return file
        }
    }
}

private struct HubTally {
    var done = 0
    var total: Int
}

/// A sum that several threads may add to.
private final class HubCounter: Sendable {
    private let sum: Mutex<Int>

    init(_ start: Int) { sum = Mutex(start) }

    func add(_ count: Int) -> Int { sum.withLock { $0 += count; return $0 } }
}
