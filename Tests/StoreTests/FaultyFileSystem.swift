import Foundation
import Synchronization

@testable import Store

/// Passes everything on to another file system until one operation, counted from zero, goes wrong.
final class FaultyFileSystem: FileSystem {
    enum Fault: Sendable, CaseIterable {
        /// The operation fails; later ones work.
        case diskFull, inputOutput
        /// The process is gone: this operation is cut short and no other ever happens.
        case kill
        /// From this operation on nothing that takes space succeeds.
        case full
    }

    private let base: any FileSystem
    private let fault: Fault
    private let victim: Int
    private let count = Mutex(0)

    /// `victim` is the operation that goes wrong; `.max` for none.
    init(_ base: any FileSystem, _ fault: Fault, at victim: Int) {
        self.base = base
        self.fault = fault
        self.victim = victim
    }

    var operationCount: Int { count.withLock { $0 } }

    /// Counts an operation and throws if it is to fail; `partly` is what a cut-short one still does.
    fileprivate func step(_ path: String, takesSpace: Bool = false, partly: () throws -> Void = {}) throws {
        let number = count.withLock { count in
            count += 1
            return count - 1
        }
        switch fault {
        case .diskFull where number == victim:
            try? partly()
            throw StoreError.system(ENOSPC, "do something", path)
        case .inputOutput where number == victim: throw StoreError.system(EIO, "do something", path)
        case .full where number >= victim && takesSpace: throw StoreError.system(ENOSPC, "do something", path)
        case .kill where number >= victim:
            if number == victim { try? partly() }
            throw StoreError(.inputOutput, operation: "go on living", path: path)
        default: break
        }
    }

    func makeDirectory(_ path: String) throws {
        try step(path, takesSpace: try base.status(path) == nil)
        try base.makeDirectory(path)
    }

    func createFile(_ path: String) throws -> any WritableFile {
        try step(path, takesSpace: true)
        return Writing(try base.createFile(path), path, self)
    }

    func openFile(_ path: String) throws -> (any ReadableFile)? {
        try step(path)
        return try base.openFile(path).map { Reading($0, path, self) }
    }

    func status(_ path: String) throws -> FileStatus? {
        try step(path)
        return try base.status(path)
    }

    func list(_ path: String) throws -> [String]? {
        try step(path)
        return try base.list(path)
    }

    func rename(_ from: String, to: String) throws {
        try step(to, takesSpace: try base.status(to) == nil)
        try base.rename(from, to: to)
    }

    func renameToNew(_ from: String, _ to: String) throws -> Bool {
        try step(to)
        return try base.renameToNew(from, to)
    }

    func remove(_ path: String) throws {
        try step(path)
        try base.remove(path)
    }

    func syncDirectory(_ path: String) throws {
        try step(path)
        try base.syncDirectory(path)
    }

    func lock(_ path: String, exclusive: Bool, wait: Bool) throws -> (any FileLock)? {
        try step(path)
        return try base.lock(path, exclusive: exclusive, wait: wait)
    }

    private final class Writing: WritableFile {
        private let file: any WritableFile
        private let path: String
        private let system: FaultyFileSystem

        init(_ file: any WritableFile, _ path: String, _ system: FaultyFileSystem) {
            self.file = file
            self.path = path
            self.system = system
        }

        func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
            try system.step(path, takesSpace: true) {
                try file.write(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / 2)]), at: offset)
            }
            try file.write(bytes, at: offset)
        }

        func sync() throws {
            try system.step(path)
            try file.sync()
        }
    }

    private final class Reading: ReadableFile {
        private let file: any ReadableFile
        private let path: String
        private let system: FaultyFileSystem

        init(_ file: any ReadableFile, _ path: String, _ system: FaultyFileSystem) {
            self.file = file
            self.path = path
            self.system = system
        }

        var byteCount: Int { file.byteCount }

        func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws {
            try system.step(path)
            try file.read(into: bytes, at: offset)
        }
    }
}
