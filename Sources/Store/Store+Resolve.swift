extension Store {
    /// What a name, a digest or the first digits of one stand for.
    ///
    /// A name may have its kind before it, as in `run/first`. A prefix has at least eight digits, with or without `sha256:`. What is both
    /// a name and the beginning of another artifact's digest is refused. An empty `kinds` means any but remembered stages. What is
    /// unknown here is looked for in the upstream store, and copied in.
    /// - Throws: `StoreError` with code `notFound`, naming what is near, or `ambiguous`, naming what fits.
    public func resolve(
        _ text: String, kinds: [String] = []
    ) throws -> (name: String?, digest: Digest, artifact: Artifact) {
        do {
            return try resolveHere(text, kinds: kinds)
        } catch let error as StoreError where error.code == .notFound {
            guard let found = try resolveUpstream(text, kinds: kinds) else { throw error }
            return found
        }
    }

    private func resolveHere(
        _ text: String, kinds: [String]
    ) throws -> (name: String?, digest: Digest, artifact: Artifact) {
        let kindsOfNames = try kinds.isEmpty ? referenceKinds().filter { $0 != Self.stageKind } : kinds
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2, kindsOfNames.contains(parts[0]), ReferenceName.isValid(kind: parts[0]), ReferenceName.isValid(name: parts[1]),
            let found = try reference(kind: parts[0], name: parts[1])
        {
            return (parts[1], found.digest, try artifact(found.digest))
        }
        if ReferenceName.isValid(name: text) {
            let found = try kindsOfNames.compactMap { try reference(kind: $0, name: text) }
            let digests = Set(found.map(\.digest))
            if digests.count > 1 {
                throw ambiguous(text, found.map { "\($0.kind)/\($0.name) \($0.digest.short)" }, advice: "say which, such as '\(found[0].kind)/\(text)'")
            }
            if let digest = digests.first {
                if ReferenceName.looksLikeDigest(text), let other = try manifestReader.storage.list(prefix: text).first(where: { $0 != digest }) {
                    throw ambiguous(
                        text, ["the name \(found[0].kind)/\(text)", "the digest \(other)"],
                        advice: "say '\(found[0].kind)/\(text)' for the name, 'sha256:\(text)' for the digest")
                }
                return (text, digest, try artifact(digest))
            }
        }
        let digits = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
        guard ReferenceName.looksLikeDigest(digits) else {
            throw try unknown(text, kindsOfNames)
        }
        var fitting: [(Digest, Artifact)] = []
        for digest in try manifestReader.storage.list(prefix: digits) {
            let artifact = try artifact(digest)
            if kinds.isEmpty || kinds.contains(artifact.kind) { fitting.append((digest, artifact)) }
        }
        if fitting.count > 1 { throw ambiguous(text, fitting.map { "\($0.1.kind) \($0.0.short)" }) }
        guard let (digest, artifact) = fitting.first else { throw try unknown(text, kindsOfNames) }
        return (nil, digest, artifact)
    }

    private func ambiguous(_ text: String, _ fitting: [String], advice: String = "give more digits of the digest") -> StoreError {
        StoreError(
            .ambiguous, operation: "find \(StoreError.quoted(text))", expected: "one artifact",
            found: fitting.joined(separator: ", "), advice: advice)
    }

    private func unknown(_ text: String, _ kinds: [String]) throws -> StoreError {
        let names = try Set(kinds.flatMap { try references.names(kind: $0) })
        let near = names.map { ($0, Self.distance($0, text)) }
            .filter { $0.1 <= max(2, text.count / 3) || $0.0.contains(text) }
            .sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(3).map { "'\($0.0)'" }
        let what = kinds.count == 1 ? "a \(kinds[0])" : "a name"
        let advice = near.isEmpty ? "list what the store holds" : "did you mean \(near.joined(separator: " or "))?"
        return StoreError(
            .notFound, operation: "find \(StoreError.quoted(text))",
            expected: "\(what), a digest, or at least eight digits of one", found: "nothing", advice: advice)
    }

    /// Edits of one character between two short texts (Levenshtein).
    private static func distance(_ first: String, _ second: String) -> Int {
        let (a, b) = (Array(first.utf8.prefix(128)), Array(second.utf8.prefix(128)))
        var row = Array(0...b.count)
        for (i, byte) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in b.enumerated() {
                let change = diagonal + (byte == other ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(change, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }
}
