import Foundation
import Pipeline
import Remote
import Store

/// A command at work: its store, what it tells while it works, and how it hands over its result.
struct Session {
    enum Access {
        /// The store is made if it is not there.
        case writing
        /// The store must be there; one that cannot be written to will do.
        case reading
    }

    let options: CommonOptions
    let progress: ProgressReporter
    let store: Store

    init(_ options: CommonOptions, _ access: Access, title: String) throws {
        self.options = options
        let progress = ProgressReporter(title: title, terminal: Terminal.standardError, isQuiet: options.quiet)
        self.progress = progress
        let location = try options.storeLocation()
        var mode = Store.Mode.readWrite
        if access == .reading {
            guard FileManager.default.fileExists(atPath: location.path) else {
                throw PipelineError(
                    .usage, "there is no store at \(location.path)",
                    advice: "Begin one with 'pipeline import', or point --store or PIPELINE_STORE at the one you mean.")
            }
            if Glibc.access(location.path, W_OK) != 0 {
                mode = .readOnly
                progress.note("the store cannot be written to; it is only read")
            }
        }
        let upstream = try options.upstreamLocation().map { try Store(at: $0, mode: .readOnly) { progress.note($0) } }
        store = try Store(at: location, mode: mode, tool: Tool.name, upstream: upstream) { progress.note($0) }
    }

    /// How a transfer tells where it stands, and stops at Ctrl-C and SIGTERM.
    func transferContext() -> TransferContext {
        Interruption.listen()
        let progress = progress
        return TransferContext(
            progress: { progress.progress(done: $0, total: $1, unit: "") { NumberText.bytes($0) } },
            note: { progress.note($0) }, isCancelled: { Interruption.signal != nil })
    }

    /// A context whose stage stops at Ctrl-C and SIGTERM.
    ///
    /// - Parameter observe: sees every event besides the reporter.
    func context(observe: @escaping @Sendable (StageEvent) -> Void = { _ in }) -> StageContext {
        Interruption.listen()
        let progress = progress
        return StageContext(
            store: store, threads: options.threadCount,
            observe: { event in
                progress.observe(event)
                observe(event)
            }, isCancelled: { Interruption.signal != nil })
    }

    /// Runs a stage and takes its progress off the terminal, however it ends.
    func perform<Result>(_ body: () throws -> Result) rethrows -> Result {
        defer { progress.finish() }
        return try body()
    }

    /// Hands the result to standard output.
    func finish(_ report: Report) throws {
        progress.finish()
        if options.json { return try StandardOutput.write(report.json.canonicalText() + "\n") }
        var text = report.text
        if !options.quiet, let next = report.next { text += "\nnext: \(next)\n" }
        try StandardOutput.write(text)
    }

    /// A command for the reader to type next, on the same store.
    func command(_ words: String...) -> String { command(words: words) }

    func command(words: [String]) -> String {
        ShellText.command(words + (options.storePath.map { ["--store", $0] } ?? []))
    }
}

/// A command's result for programs and for people.
struct Report {
    let json: JSONValue
    /// Whole lines.
    let text: String
    /// What one would do next.
    let next: String?
}
