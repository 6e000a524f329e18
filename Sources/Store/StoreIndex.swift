import Foundation
import GRDB
import Synchronization

/// The SQLite index: a cache of what the files say, brought up to date before every question.
///
/// Writers never touch it, so no crash can make it lie: a folder whose change time differs from the one on record is
/// read again.
final class StoreIndex: Sendable {
    /// Where the database lives.
    enum Form: Sendable {
        /// `STORE/index.sqlite`, shared by all processes.
        case file
        /// A private copy of it, for a store that must not be written to.
        case copy
        /// Nowhere but in memory.
        case memory
    }

    /// What a question depends on.
    enum Area: Sendable { case artifacts, references, blobs }

    private let layout: StoreLayout
    private let files: any FileSystem
    private let form: Form
    private let note: @Sendable (String) -> Void
    private let queue = Mutex<DatabaseQueue?>(nil)

    init(layout: StoreLayout, files: any FileSystem, form: Form, note: @escaping @Sendable (String) -> Void) {
        self.layout = layout
        self.files = files
        self.form = form
        self.note = note
    }

    /// Answers a question on an index that agrees with the files of `areas`. A damaged index is made anew, once.
    func read<Answer>(_ areas: Set<Area>, _ question: (Database) throws -> Answer) throws -> Answer {
        do {
            return try attempt(areas, question)
        } catch let error as DatabaseError where Self.isDamage(error) {
            note("the index was damaged (\(error.message ?? "\(error.resultCode)")) and is made anew")
            try rebuild()
            return try attempt(areas, question)
        } catch let error as RowDecodingError {
            note("the index was damaged (\(error)) and is made anew")
            try rebuild()
            return try attempt(areas, question)
        } catch let error as DatabaseError where form == .file && Self.isRefusal(error) {
            return try attemptInMemory(areas, question, because: error.message ?? "\(error.resultCode)")
        } catch let error as StoreError where form == .file && error.code == .diskFull {
            return try attemptInMemory(areas, question, because: error.found ?? "no space")
        } catch let error as DatabaseError {
            throw StoreError(
                error.resultCode == .SQLITE_BUSY ? .busy : error.resultCode == .SQLITE_FULL ? .diskFull : .inputOutput,
                operation: "use the index", path: layout.index, found: error.message ?? "\(error.resultCode)",
                advice: "the index can be removed at any time; it is made again")
        }
    }

    private func attempt<Answer>(_ areas: Set<Area>, _ question: (Database) throws -> Answer) throws -> Answer {
        let queue = try opened()
        let refresh = IndexRefresh(layout: layout, files: files, note: note)
        if try queue.read({ try refresh.isNeeded($0, areas) }) {
            try queue.inTransaction(.immediate) { database in
                try refresh.run(database, areas)
                return .commit
            }
        }
        return try queue.read(question)
    }

    /// On a full disk there is no room to bring the index up to date, and still one must see what may go.
    private func attemptInMemory<Answer>(
        _ areas: Set<Area>, _ question: (Database) throws -> Answer, because reason: String
    ) throws -> Answer {
        note("the index cannot be written (\(reason)) and is made in memory")
        let memory = try openMemory()
        let refresh = IndexRefresh(layout: layout, files: files, note: note)
        try memory.inTransaction { database in
            try refresh.run(database, areas)
            return .commit
        }
        return try memory.read(question)
    }

    /// Whether it is the disk that refuses: SQLite says so in several ways when it cannot extend one of its files.
    private static func isRefusal(_ error: DatabaseError) -> Bool {
        [.SQLITE_FULL, .SQLITE_IOERR, .SQLITE_CANTOPEN].contains(error.resultCode)
    }

    /// Throws away the database; the next question fills a new one.
    func rebuild() throws {
        try queue.withLock { queue in
            try? queue?.close()
            queue = nil
            guard form == .file else { return }
            guard let lock = try files.lock(layout.indexLock, exclusive: true, wait: true) else { return }
            defer { lock.release() }
            for suffix in ["", "-wal", "-shm", "-journal"] { try files.remove(layout.index + suffix) }
        }
    }

    private static func isDamage(_ error: DatabaseError) -> Bool {
        [.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_ERROR, .SQLITE_CONSTRAINT, .SQLITE_MISMATCH, .SQLITE_FORMAT]
            .contains(error.resultCode)
    }

    // MARK: Opening

    private func opened() throws -> DatabaseQueue {
        try queue.withLock { queue in
            if let queue { return queue }
            let made: DatabaseQueue
            switch form {
            case .file: made = try openShared()
            case .copy: made = try openCopy()
            case .memory: made = try openMemory()
            }
            queue = made
            return made
        }
    }

    private func openShared() throws -> DatabaseQueue {
        // The lock keeps a rebuild from pulling the file away between the opening and the first read.
        let lock = try files.lock(layout.indexLock, exclusive: false, wait: true)
        // SQLite makes the file when it opens it, so whether it was there must be asked before.
        let existed = try files.status(layout.index) != nil
        if let queue = try? open(layout.index), (try? queue.read(Self.isCurrent)) == true { return queue }
        lock?.release()
        guard let lock = try files.lock(layout.indexLock, exclusive: true, wait: true) else {
            throw StoreError(.busy, operation: "open the index", path: layout.index)
        }
        defer { lock.release() }
        // Somebody else may have made it meanwhile.
        if let queue = try? open(layout.index), (try? queue.read(Self.isCurrent)) == true { return queue }
        if existed { note("the index was of another form and is made anew") }
        for suffix in ["", "-wal", "-shm", "-journal"] { try files.remove(layout.index + suffix) }
        // SQLite would make it with 0644, which a group that shares the store could not write; its other files follow.
        _ = try files.createFile(layout.index)
        let queue = try open(layout.index)
        try queue.write(Self.create)
        return queue
    }

    private func open(_ path: String) throws -> DatabaseQueue {
        var configuration = Self.configuration()
        configuration.journalMode = .wal
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    /// SQLite cannot read a database in WAL mode from a folder that it may not write to, so a copy is read, which may
    /// lag behind
    /// the files and be brought up to date like any other.
    private func openCopy() throws -> DatabaseQueue {
        guard let source = try? files.openFile(layout.index), source.byteCount > 0 else { return try openMemory() }
        let path = NSTemporaryDirectory() + "pipeline-index-\(UUID().uuidString).sqlite"
        defer { for suffix in ["", "-wal", "-shm", "-journal"] { try? LocalFileSystem().remove(path + suffix) } }
        let target = try LocalFileSystem().createFile(path)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset = 0
        while offset < source.byteCount {
            let count = min(buffer.count, source.byteCount - offset)
            try buffer.withUnsafeMutableBytes {
                let portion = UnsafeMutableRawBufferPointer(rebasing: $0[..<count])
                try source.read(into: portion, at: offset)
                try target.write(UnsafeRawBufferPointer(portion), at: offset)
            }
            offset += count
        }
        let memory = try DatabaseQueue(configuration: Self.configuration())
        if let copy = try? DatabaseQueue(path: path, configuration: Self.configuration()),
            (try? copy.backup(to: memory)) != nil, (try? memory.read(Self.isCurrent)) == true
        {
            return memory
        }
        note("the index of this read-only store is of no use; it is made anew in memory")
        return try openMemory()
    }

    private func openMemory() throws -> DatabaseQueue {
        let queue = try DatabaseQueue(configuration: Self.configuration())
        try queue.write(Self.create)
        return queue
    }

    private static func configuration() -> Configuration {
        var configuration = Configuration()
        configuration.busyMode = .timeout(60)
        configuration.prepareDatabase { database in
            // The file may be somebody else's work; nothing in it may run.
            try database.execute(sql: "PRAGMA trusted_schema = OFF")
            // Losing the last transactions of a cache costs nothing.
            try database.execute(sql: "PRAGMA synchronous = NORMAL")
        }
        return configuration
    }

    private static func create(_ database: Database) throws {
        try database.execute(sql: IndexSchema.text)
        try database.execute(sql: "PRAGMA user_version = \(IndexSchema.version)")
    }

    /// Whether the tables are exactly ours: a foreign database, even one with the right names, is not used.
    private static func isCurrent(_ database: Database) throws -> Bool {
        guard try Int.fetchOne(database, sql: "PRAGMA user_version") == IndexSchema.version else { return false }
        let found = try String.fetchAll(
            database, sql: "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY sql")
        return found == IndexSchema.statements.sorted()
    }

    /// Whether SQLite itself finds the database whole.
    func isIntact() throws -> Bool {
        guard let queue = try? opened() else { return false }
        return (try? queue.read { try String.fetchAll($0, sql: "PRAGMA integrity_check") }) == ["ok"]
    }
}

extension IndexSchema {
    /// The statements as SQLite records them: without the comments before them and the semicolon after.
    static var statements: [String] {
        text.components(separatedBy: ";").compactMap { part in
            let lines = part.split(separator: "\n").filter { !$0.hasPrefix("--") }
            return lines.isEmpty ? nil : lines.joined(separator: "\n")
        }
    }
}
