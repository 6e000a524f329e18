import Foundation

/// What a server asks for with `WWW-Authenticate` (RFC 9110, 11.6.1).
struct Challenge: Hashable, Sendable {
    /// In lower case.
    let scheme: String
    let parameters: [String: String]

    /// The first challenge of a known scheme; nil if there is none.
    init?(_ header: String) {
        for scheme in ["bearer", "basic"] {
            guard let range = header.range(of: scheme + " ", options: .caseInsensitive),
                range.lowerBound == header.startIndex || header[..<range.lowerBound].hasSuffix(", ")
            else {
                if header.lowercased() == scheme {
                    (self.scheme, parameters) = (scheme, [:])
                    return
                }
                continue
            }
            self.scheme = scheme
            parameters = Self.parameters(header[range.upperBound...])
            return
        }
        return nil
    }

    private static func parameters(_ text: Substring) -> [String: String] {
        var parameters: [String: String] = [:]
        for match in text.matches(of: #/([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/#) {
            let value = match.output.2 ?? match.output.3 ?? ""
            parameters[match.output.1.lowercased()] = String(value).replacing(#/\\(.)/#) { $0.output.1 }
        }
        return parameters
    }
}
