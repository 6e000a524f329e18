import Foundation

/// The references' files: read without a lock, changed by rename under one.
struct ReferenceFolder: Sendable {
    let layout: StoreLayout
    let files: any FileSystem

    private func path(kind: String, name: String) throws -> String {
        guard ReferenceName.isValid(kind: kind) else {
            throw StoreError(
                .invalidName, operation: "use a kind", expected: "at most 32 lower-case letters, digits and '-'",
                found: StoreError.quoted(kind))
        }
        guard ReferenceName.isValid(name: name) else {
            throw StoreError(
                .invalidName, operation: "use a name",
                expected: "at most 128 letters, digits, '.', '_' and '-', first a letter, digit or '_'",
                found: StoreError.quoted(name))
        }
        return "\(layout.references)/\(kind)/\(name)"
    }

    func read(kind: String, name: String) throws -> Reference? {
        let path = try path(kind: kind, name: name)
        guard let contents = try files.contents(of: path, limit: Reference.fileLimit) else { return nil }
        return try Reference(contents: contents, kind: kind, name: name, path: path)
    }

    /// `isReplacing` decides about a name that stands for something else; the same digest again is no change.
    func set(
        kind: String, name: String, to digest: Digest, isReplacing: Bool, tool: String?, session: StagingSession
    ) throws {
        let target = try path(kind: kind, name: name)
        let lock = try files.lock(layout.referenceLock, exclusive: true, wait: true)
        defer { lock?.release() }
        var history: [Reference.Entry] = []
        if let old = try read(kind: kind, name: name, orDamagedIf: isReplacing) {
            // Whoever set it may have been killed before its sync.
            if old.digest == digest { return try files.syncDirectory("\(layout.references)/\(kind)") }
            guard isReplacing else {
                throw StoreError(
                    .nameInUse, operation: "set the name '\(name)'", path: target, expected: "a free name",
                    found: "\(kind) \(old.digest.short)",
                    advice: "choose another name, or replace it; the old one stays in its history")
            }
            history = [old.current] + old.history
        }
        let now = Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down))
        let reference = Reference(
            kind: kind, name: name, current: .init(digest: digest, created: now, tool: tool), history: history)
        let folder = "\(layout.references)/\(kind)"
        if try files.status(folder) == nil {
            try files.makeDirectory(folder)
            try files.syncDirectory(layout.references)
        }
        let temporary = try session.newPath()
        do {
            try files.write(try reference.fileContents(), toNew: temporary)
            try files.rename(temporary, to: target)
        } catch {
            try? files.remove(temporary)
            throw error
        }
        try files.syncDirectory(folder)
    }

    /// A damaged reference may be overwritten on request: that is how a name is mended.
    private func read(kind: String, name: String, orDamagedIf isReplacing: Bool) throws -> Reference? {
        do {
            return try read(kind: kind, name: name)
        } catch let error as StoreError where error.isDamage && isReplacing {
            return nil
        }
    }

    /// False if there was no such name.
    func remove(kind: String, name: String) throws -> Bool {
        let target = try path(kind: kind, name: name)
        let lock = try files.lock(layout.referenceLock, exclusive: true, wait: true)
        defer { lock?.release() }
        guard try files.status(target) != nil else { return false }
        try files.remove(target)
        try files.syncDirectory("\(layout.references)/\(kind)")
        return true
    }

    /// Removes several; those that are gone already are passed over.
    func remove(_ names: [(kind: String, name: String)]) throws {
        guard !names.isEmpty else { return }
        let lock = try files.lock(layout.referenceLock, exclusive: true, wait: true)
        defer { lock?.release() }
        for (kind, name) in names { try files.remove(try path(kind: kind, name: name)) }
        for kind in Set(names.map(\.kind)).sorted() { try files.syncDirectory("\(layout.references)/\(kind)") }
    }

    func kinds() throws -> [String] {
        try (files.list(layout.references) ?? []).filter { ReferenceName.isValid(kind: $0) }.sorted()
    }

    func names(kind: String) throws -> [String] {
        guard ReferenceName.isValid(kind: kind) else { return [] }
        return try (files.list("\(layout.references)/\(kind)") ?? []).filter { ReferenceName.isValid(name: $0) }
            .sorted()
    }
}
