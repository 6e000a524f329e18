import Foundation
import Testing

@testable import Remote

@Suite struct RemoteAddressTests {
    @Test func pathsAreFoldersOrBundlesWithANameBehindAColon() throws {
        #expect(try RemoteAddress("/tmp/there").place == .folder(URL(fileURLWithPath: "/tmp/there")))
        #expect(try RemoteAddress("/tmp/there:base").name == "base")
        #expect(try RemoteAddress("/tmp/there:base").place == .folder(URL(fileURLWithPath: "/tmp/there")))
        #expect(try RemoteAddress("/tmp/m.pipeline").place == .bundle(URL(fileURLWithPath: "/tmp/m.pipeline")))
        let exchange = try Exchange(), folder = try exchange.folder("a:b")
        #expect(try RemoteAddress(folder.path()).name == nil, "a folder that is there keeps its colon")
    }

    @Test(arguments: [
        ("oci://localhost:5000/team/critic:v1", "localhost:5000", "team/critic", "v1"),
        ("oci://ghcr.io/org/model", "ghcr.io", "org/model", nil),
        ("oci://[::1]:5000/m:x", "[::1]:5000", "m", "x"),
        (
            "oci://host/m@sha256:0000000000000000000000000000000000000000000000000000000000000000", "host", "m",
            "sha256:0000000000000000000000000000000000000000000000000000000000000000"
        ),
    ])
    func registriesHaveHostRepositoryAndTag(text: String, host: String, repository: String, tag: String?) throws {
        let address = try RemoteAddress(text)
        #expect(address.name == tag)
        guard case .registry(let registry) = address.place else {
            Issue.record("no registry")
            return
        }
        #expect(registry.host == host && registry.repository == repository)
    }

    @Test(arguments: [
        "", "oci://", "oci://host", "oci:///m", "oci://host/", "oci://host/UPPER", "oci://host/../x", "oci://host/m:",
        "oci://host/m@sha256:1", "oci://user@host/m", "oci://ho st/m", "oci://host/a//b", "http://host/m", "s3://bucket/m",
        "oci://host:port/m",
    ])
    func anythingElseIsRefused(text: String) throws {
        #expect(try remoteCode { try RemoteAddress(text) } == .invalidAddress)
    }

    @Test func onlyThisMachineIsSpokenToInTheClear() throws {
        for host in ["localhost", "127.0.0.1", "127.8.0.1", "[::1]"] {
            try HTTPClient.check(URL(string: "http://\(host):80/x")!)
        }
        for address in ["http://example.org/", "http://127.0.0.1.example.org/", "http://127.1/", "ftp://localhost/", "file:///etc/passwd"] {
            #expect(try remoteCode { try HTTPClient.check(URL(string: address)!) } == .invalidAddress, "\(address)")
        }
        #expect(try RegistryAddress.parse("oci://ghcr.io/a").0.base.scheme == "https")
        #expect(try RegistryAddress.parse("oci://localhost:5000/a").0.base.scheme == "http")
    }

    @Test func hubAddressesHaveARevision() throws {
        #expect(try HubAddress("hf:org/name") == HubAddress("hf:org/name@main"))
        #expect(try HubAddress("hf:bert-base-uncased@v1.0").revision == "v1.0")
        for text in ["hf:", "hf:a/b/c", "hf:../x", "hf:org/..", "hf:org/name@", "hf:org/name@../x", "hf:o rg/x", "hf:org/na?me"] {
            #expect(try remoteCode { try HubAddress(text) } == .invalidAddress, "\(text)")
        }
    }

    @Test func challengesAreUnderstood() throws {
        let bearer = try #require(Challenge(#"Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull,push""#))
        #expect(bearer.scheme == "bearer")
        #expect(bearer.parameters == ["realm": "https://auth.example/token", "service": "reg", "scope": "repository:a/b:pull,push"])
        #expect(Challenge(#"Basic realm="x""#)?.scheme == "basic")
        #expect(Challenge(#"Basic realm="x", Bearer realm="y""#)?.parameters["realm"] == "y")
        #expect(Challenge("Negotiate") == nil)
    }
}
