/// Where a collection puts what nobody needs, before it removes it: out of the way in one step, and back in one step if somebody
/// writes the same thing again meanwhile.
///
/// `trash/blobs/<64 digits>` and `trash/artifacts/<64 digits>`. Whatever lies there can be removed at any time.
struct Trash: Sendable {
    enum Area: String, CaseIterable { case artifacts, blobs }

    let layout: StoreLayout
    let files: any FileSystem

    private func folder(_ area: Area) -> String { "\(layout.trash)/\(area.rawValue)" }
    private func path(_ area: Area, _ digest: Digest) -> String { "\(folder(area))/\(digest.hex)" }

    private func place(_ area: Area, _ digest: Digest) -> (folder: String, path: String) {
        let root = area == .blobs ? layout.blobs : layout.artifacts
        let folder = "\(root)/\(digest.hex.prefix(2))"
        return (folder, "\(folder)/\(digest.hex.dropFirst(2))")
    }

    func prepare() throws {
        try files.makeDirectory(layout.trash)
        for area in Area.allCases { try files.makeDirectory(folder(area)) }
    }

    /// Takes files out of their places. With `sync` the places are empty for good before this returns.
    ///
    /// A full disk may have no room for a name in the trash; then the file is removed at once, for the caller holds the store alone.
    func take(_ digests: some Collection<Digest>, _ area: Area, sync: Bool) throws {
        var folders: Set<String> = []
        for digest in digests {
            let place = place(area, digest)
            guard try files.status(place.path) != nil else { continue }
            do {
                try files.rename(place.path, to: path(area, digest))
            } catch let error as StoreError where error.code == .diskFull {
                try files.remove(place.path)
            }
            folders.insert(place.folder)
        }
        if sync { for folder in folders.sorted() { try files.syncDirectory(folder) } }
    }

    /// Puts a blob back, with the base that it needs; false if it is not there. The name is not durable yet.
    func restore(_ digest: Digest) throws -> Bool {
        let path = path(.blobs, digest)
        guard let file = try files.openFile(path) else { return false }
        let base = (try? BlobHeader(of: file, name: path))?.base
        if let base, try files.status(place(.blobs, base).path) == nil, try !restore(base) { return false }
        return try move(digest)
    }

    private func move(_ digest: Digest) throws -> Bool {
        let place = place(.blobs, digest)
        if try files.status(place.folder) == nil {
            try files.makeDirectory(place.folder)
            try files.syncDirectory(layout.blobs)
        }
        do { try files.rename(path(.blobs, digest), to: place.path) } catch {
            // The collection was quicker.
            if try files.status(path(.blobs, digest)) == nil { return false }
            throw error
        }
        return true
    }

    /// How many files lie in the trash, and their bytes.
    func contents() throws -> (count: Int, byteCount: Int) {
        var (count, byteCount) = (0, 0)
        for area in Area.allCases {
            for name in try files.list(folder(area)) ?? [] {
                guard let status = try files.status("\(folder(area))/\(name)"), status.kind == .file else { continue }
                count += 1
                byteCount += status.byteCount
            }
        }
        return (count, byteCount)
    }

    /// Removes all of it; what somebody takes back meanwhile stays.
    func empty(_ removed: (Int) -> Void = { _ in }) throws {
        for area in Area.allCases {
            for name in try (files.list(folder(area)) ?? []).sorted() where Digest(hex: name) != nil {
                let path = "\(folder(area))/\(name)"
                let byteCount = try files.status(path)?.byteCount ?? 0
                try files.remove(path)
                removed(byteCount)
            }
        }
    }
}
