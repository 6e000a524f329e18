import Synchronization

@testable import Store

/// A file system that knows which writes have reached the disk, and can lose power.
///
/// File contents are durable after `sync`, names after `syncDirectory`. `crash` keeps what is durable and, by chance,
/// parts of the rest:
/// what a disk that reorders its writes may leave.
final class MemoryFileSystem: FileSystem {
    private final class Node {
        let isFolder: Bool
        var bytes: [UInt8] = []
        var durableBytes: [UInt8] = []
        var entries: [String: Node] = [:]
        var durableEntries: [String: Node] = [:]
        var changed: Int64 = 0
        var shared = 0
        var isLocked = false

        init(isFolder: Bool) { self.isFolder = isFolder }
    }

    private struct State: @unchecked Sendable {
        var root = Node(isFolder: true)
        var clock: Int64 = 0
        var syncs = 0
        var skipped: Int?
    }

    private let state = Mutex(State())

    /// How many syncs there have been.
    var syncCount: Int { state.withLock { $0.syncs } }

    /// Makes one sync, counted from here, do nothing.
    func skip(sync: Int) { state.withLock { $0.skipped = $0.syncs + sync } }

    /// Loses everything that is not durable, but for what `keep` lets through.
    func crash(keeping keep: () -> Bool) {
        state.withLock { state in
            var seen: Set<ObjectIdentifier> = []
            func settle(_ node: Node) {
                guard seen.insert(ObjectIdentifier(node)).inserted else { return }
                node.shared = 0
                node.isLocked = false
                if node.isFolder {
                    var entries = node.durableEntries
                    for name in Set(node.entries.keys).union(entries.keys)
                    where node.entries[name] !== entries[name] && keep() {
                        entries[name] = node.entries[name]
                    }
                    node.entries = entries
                    node.durableEntries = entries
                    entries.values.forEach(settle)
                } else if node.bytes != node.durableBytes {
                    if !keep() {
                        node.bytes = node.durableBytes
                    }
                    // Or the length got through and the content did not.
                    else if keep() {
                        node.bytes = [UInt8](repeating: 0, count: node.bytes.count)
                    }
                    node.durableBytes = node.bytes
                }
            }
            settle(state.root)
            state.skipped = nil
        }
    }

    private static func fail(_ operation: String, _ path: String, _ reason: String) -> StoreError {
        StoreError(.inputOutput, operation: operation, path: path, found: reason)
    }

    private static func find(_ state: borrowing State, _ path: String) -> Node? {
        path.split(separator: "/").reduce(state.root as Node?) { $0?.entries[String($1)] }
    }

    private static func parent(_ state: borrowing State, _ path: String) throws -> (Node, String) {
        let parts = path.split(separator: "/")
        guard let name = parts.last,
            let node = find(state, parts.dropLast().joined(separator: "/")), node.isFolder
        else { throw fail("find a folder", path, "nothing") }
        return (node, String(name))
    }

    private static func touch(_ state: inout State, _ node: Node) {
        state.clock += 1
        node.changed = state.clock
    }

    func makeDirectory(_ path: String) throws {
        try state.withLock { state in
            let (parent, name) = try Self.parent(state, path)
            if parent.entries[name] == nil {
                parent.entries[name] = Node(isFolder: true)
                Self.touch(&state, parent)
            }
        }
    }

    func createFile(_ path: String) throws -> any WritableFile {
        try state.withLock { state in
            let (parent, name) = try Self.parent(state, path)
            guard parent.entries[name] == nil else { throw Self.fail("create a file", path, "one") }
            let node = Node(isFolder: false)
            parent.entries[name] = node
            Self.touch(&state, parent)
            return File(node, self)
        }
    }

    func openFile(_ path: String) throws -> (any ReadableFile)? {
        state.withLock { state in Self.find(state, path).map { File($0, self) } }
    }

    func status(_ path: String) throws -> FileStatus? {
        state.withLock { state in
            Self.find(state, path).map {
                FileStatus(
                    kind: $0.isFolder ? .directory : .file, byteCount: $0.bytes.count, modified: $0.changed,
                    changed: $0.changed)
            }
        }
    }

    func list(_ path: String) throws -> [String]? {
        state.withLock { state in Self.find(state, path).map { Array($0.entries.keys) } }
    }

    func rename(_ from: String, to: String) throws {
        try state.withLock { state in
            let (source, name) = try Self.parent(state, from)
            let (target, newName) = try Self.parent(state, to)
            guard let node = source.entries.removeValue(forKey: name) else {
                throw Self.fail("rename", from, "nothing")
            }
            target.entries[newName] = node
            Self.touch(&state, source)
            Self.touch(&state, target)
        }
    }

    func renameToNew(_ from: String, _ to: String) throws -> Bool {
        if try status(to) != nil { return false }
        try rename(from, to: to)
        return true
    }

    func remove(_ path: String) throws {
        try state.withLock { state in
            let (parent, name) = try Self.parent(state, path)
            if let node = parent.entries[name], node.isFolder, !node.entries.isEmpty {
                throw Self.fail("remove", path, "a folder that is not empty")
            }
            parent.entries[name] = nil
            Self.touch(&state, parent)
        }
    }

    func syncDirectory(_ path: String) throws {
        try state.withLock { state in
            guard let node = Self.find(state, path) else { throw Self.fail("sync", path, "nothing") }
            if Self.counts(&state) { node.durableEntries = node.entries }
        }
    }

    private static func counts(_ state: inout State) -> Bool {
        defer { state.syncs += 1 }
        return state.syncs != state.skipped
    }

    func lock(_ path: String, exclusive: Bool, wait: Bool) throws -> (any FileLock)? {
        try state.withLock { state in
            let (parent, name) = try Self.parent(state, path)
            let node = parent.entries[name] ?? Node(isFolder: false)
            parent.entries[name] = node
            if node.isLocked || exclusive && node.shared > 0 {
                precondition(!wait, "a test would wait for ever for \(path)")
                return nil
            }
            if exclusive { node.isLocked = true } else { node.shared += 1 }
            return Lock(node, exclusive, self)
        }
    }

    private final class Lock: FileLock, @unchecked Sendable {
        private var node: Node?
        private let exclusive: Bool
        private let system: MemoryFileSystem

        init(_ node: Node, _ exclusive: Bool, _ system: MemoryFileSystem) {
            self.node = node
            self.exclusive = exclusive
            self.system = system
        }

        deinit { release() }

        func release() {
            guard let node else { return }
            self.node = nil
            nonisolated(unsafe) let held = node
            system.state.withLock { _ in
                if exclusive { held.isLocked = false } else { held.shared = max(0, held.shared - 1) }
            }
        }
    }

    private final class File: WritableFile, ReadableFile, @unchecked Sendable {
        private let node: Node
        private let system: MemoryFileSystem

        init(_ node: Node, _ system: MemoryFileSystem) {
            self.node = node
            self.system = system
        }

        var byteCount: Int { system.state.withLock { _ in node.bytes.count } }

        func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
            system.state.withLock { _ in
                let end = offset + bytes.count
                if node.bytes.count < end { node.bytes += [UInt8](repeating: 0, count: end - node.bytes.count) }
                node.bytes.replaceSubrange(offset..<end, with: bytes)
            }
        }

        func sync() throws {
            system.state.withLock { state in
                if MemoryFileSystem.counts(&state) { node.durableBytes = node.bytes }
            }
        }

        func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws {
            try system.state.withLock { _ in
                guard offset + target.count <= node.bytes.count else {
                    throw StoreError(.damaged, operation: "read", expected: "more bytes", found: "the end")
                }
                target.copyBytes(from: node.bytes[offset..<offset + target.count])
            }
        }
    }
}
