import Foundation
import Store
import Synchronization

/// Carries requests to a registry with what it asks for: a password, or a token that a password or nothing buys.
final class RegistryAuthorizer: HTTPCarrier {
    private let client: HTTPClient
    private let address: RegistryAddress
    private let credentials: @Sendable () throws -> RegistryCredentials?
    /// The present value of `Authorization`.
    private let authorization = Mutex<String?>(nil)

    init(_ client: HTTPClient, _ address: RegistryAddress, credentials: @escaping @Sendable () throws -> RegistryCredentials?) {
        (self.client, self.address, self.credentials) = (client, address, credentials)
    }

    func send(_ request: HTTPRequest, limit: Int = HTTPClient.largestAnswer) throws -> HTTPAnswer {
        try authorized(request) { try client.send($0, limit: limit) } head: { $0.head }
    }

    func perform(
        _ request: HTTPRequest, onHead: @escaping @Sendable (HTTPHead) throws -> Void,
        onData: @escaping @Sendable (Data) throws -> Void
    ) throws -> HTTPHead {
        try authorized(request) { request in
            let isRefused = Mutex(false)
            return try client.perform(request) { head in
                if head.status == 401 { isRefused.withLock { $0 = true } } else { try onHead(head) }
            } onData: { data in
                if !isRefused.withLock({ $0 }) { try onData(data) }
            }
        } head: { $0 }
    }

    private func authorized<Answer>(
        _ request: HTTPRequest, _ send: (HTTPRequest) throws -> Answer, head: (Answer) -> HTTPHead
    ) throws -> Answer {
        var request = request
        let isOurs = request.url.host == address.base.host && request.url.port == address.base.port
        if isOurs { request.headers["Authorization"] = authorization.withLock { $0 } }
        let answer = try send(request)
        guard head(answer).status == 401 else { return answer }
        guard isOurs, let challenge = head(answer).headers["www-authenticate"].flatMap({ Challenge($0) }) else {
            throw refused("status 401 without a challenge that is understood")
        }
        request.headers["Authorization"] = try meet(challenge)
        let second = try send(request)
        guard head(second).status != 401 else { throw refused("status 401") }
        authorization.withLock { $0 = request.headers["Authorization"] }
        return second
    }

    private func meet(_ challenge: Challenge) throws -> String {
        let credentials = try credentials()
        guard challenge.scheme == "bearer" else {
            guard let credentials else { throw refused("a demand for a password") }
            return credentials.basic
        }
        guard let realm = challenge.parameters["realm"], var parts = URLComponents(string: realm) else {
            throw refused("a demand for a token without an address to get it")
        }
        parts.queryItems = (parts.queryItems ?? []) + ["service", "scope"].compactMap { name in
            challenge.parameters[name].map { URLQueryItem(name: name, value: $0) }
        }
        guard let url = parts.url else { throw refused("a demand for a token without an address to get it") }
        var request = HTTPRequest("GET", url)
        if let credentials { request.headers["Authorization"] = credentials.basic }
        let answer = try client.send(request, limit: 1 << 20)
        try answer.throwIfTransient(url.host ?? realm)
        guard answer.head.isSuccess, let json = try? JSONValue(parsing: answer.body),
            let token = json["token"]?.stringValue ?? json["access_token"]?.stringValue
        else { throw refused("no token: \(answer.complaint)") }
        return "Bearer " + token
    }

    private func refused(_ found: String) -> RemoteError {
        RemoteError(
            .unauthorized, operation: "use the registry", place: "\(address.host)/\(address.repository)", expected: "admission",
            found: found,
            advice: "set PIPELINE_REGISTRY_USER and PIPELINE_REGISTRY_PASSWORD, or log in so that ~/.docker/config.json has an entry")
    }
}
