import Foundation
import Store

/// One repository of a registry, by the OCI distribution specification.
final class RegistryClient: Sendable {
    let address: RegistryAddress
    let context: TransferContext
    let policy: RetryPolicy
    let carrier: RegistryAuthorizer

    init(
        _ address: RegistryAddress, _ context: TransferContext, policy: RetryPolicy = RetryPolicy(),
        credentials: (@Sendable () throws -> RegistryCredentials?)? = nil
    ) {
        (self.address, self.context, self.policy) = (address, context, policy)
        let host = address.host
        carrier = RegistryAuthorizer(
            HTTPClient(context), address, credentials: credentials ?? { try RegistryCredentials.find(host: host) })
    }

    var place: String { "oci://\(address.host)/\(address.repository)" }

    func url(_ path: String) -> URL { URL(string: "\(address.base.absoluteString)/v2/\(address.repository)/\(path)")! }

    /// Sends a request as often as the policy allows.
    func send(_ request: HTTPRequest, limit: Int = HTTPClient.largestAnswer) throws -> HTTPAnswer {
        try policy.run(context, place: place) {
            let answer = try carrier.send(request, limit: limit)
            try answer.throwIfTransient(place)
            return answer
        }
    }

    func refuse(_ operation: String, _ answer: HTTPAnswer) -> RemoteError {
        switch answer.status {
        case 401, 403:
            RemoteError(
                .unauthorized, operation: operation, place: place, found: answer.complaint,
                advice: "use credentials that allow it: PIPELINE_REGISTRY_USER and PIPELINE_REGISTRY_PASSWORD")
        case 404:
            RemoteError(
                .notFound, operation: operation, place: place, found: answer.complaint,
                advice: "check the repository and the tag")
        default:
            RemoteError(
                .unexpectedAnswer, operation: operation, place: place, found: answer.complaint,
                advice: "check that the address is of an OCI registry")
        }
    }

    // MARK: Manifests

    /// The manifest of a tag or digest; nil if there is none.
    func manifest(_ reference: String) throws -> (bytes: [UInt8], digest: Digest)? {
        let answer = try send(
            HTTPRequest("GET", url("manifests/\(reference)"), headers: ["Accept": MediaType.manifest]),
            limit: OCIManifest.largest)
        if answer.status == 404 { return nil }
        guard answer.head.isSuccess else { throw refuse("read the manifest of '\(reference)'", answer) }
        let digest = Digest(of: answer.body)
        let announced = answer.head.headers["docker-content-digest"].flatMap { Digest($0) }
        guard Digest(reference) ?? announced ?? digest == digest, announced ?? digest == digest else {
            throw RemoteError(
                .wrongContent, operation: "read the manifest of '\(reference)'", place: place,
                expected: "\(Digest(reference) ?? announced ?? digest)", found: "\(digest)",
                advice: "run the command again; if it fails again, the registry's copy is damaged")
        }
        return (Array(answer.body), digest)
    }

    func put(manifest bytes: [UInt8], _ reference: String) throws {
        let answer = try send(
            HTTPRequest(
                "PUT", url("manifests/\(reference)"), headers: ["Content-Type": MediaType.manifest], body: Data(bytes)))
        guard answer.head.isSuccess else { throw refuse("set the tag '\(reference)'", answer) }
        if let digest = answer.head.headers["docker-content-digest"], digest != Digest(of: bytes).description {
            throw RemoteError(
                .wrongContent, operation: "set the tag '\(reference)'", place: place, expected: "\(Digest(of: bytes))",
                found: RemoteError.printable(digest, limit: 80))
        }
    }

    /// The tags, or the first page of them.
    func tags() throws -> [String] {
        let answer = try send(HTTPRequest("GET", url("tags/list")))
        if answer.status == 404 { return [] }
        guard answer.head.isSuccess, let json = try? JSONValue(parsing: answer.body) else { throw refuse("list the tags", answer) }
        return (json["tags"]?.arrayValue ?? []).compactMap(\.stringValue)
    }

    // MARK: Blobs

    func has(_ descriptor: OCIDescriptor) throws -> Bool {
        let answer = try send(HTTPRequest("HEAD", url("blobs/\(descriptor.digest)")))
        if answer.status == 404 { return false }
        guard answer.head.isSuccess else { throw refuse("look for a blob", answer) }
        return answer.head.contentLength ?? descriptor.size == descriptor.size
    }

    func download(_ descriptor: OCIDescriptor) -> HTTPRequest { HTTPRequest("GET", url("blobs/\(descriptor.digest)")) }

    /// A small blob, whole and checked.
    func content(_ descriptor: OCIDescriptor) throws -> [UInt8] {
        let answer = try send(download(descriptor), limit: descriptor.size)
        guard answer.head.isSuccess else { throw refuse("fetch \(descriptor.digest.short)", answer) }
        guard Digest(of: answer.body) == descriptor.digest else {
            throw RemoteError(
                .wrongContent, operation: "fetch a manifest", place: place, expected: "\(descriptor.digest)",
                found: "other bytes", advice: "the registry's copy is damaged: push it there again")
        }
        return Array(answer.body)
    }
}
