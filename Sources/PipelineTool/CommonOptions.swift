import ArgumentParser
import Foundation
import Pipeline
import Tensors

/// The options that every command takes.
struct CommonOptions: ParsableArguments {
    @Option(
        name: .customLong("store"),
        help: ArgumentHelp(
            "The store's folder.", discussion: "Default: PIPELINE_STORE, else pipeline in the XDG data folder.",
            valueName: "folder"))
    var storePath: String?

    @Option(
        name: .customLong("upstream"),
        help: ArgumentHelp(
            "Another store, searched for finished work and for names before anything is computed; it is only read.",
            discussion: "Default: PIPELINE_UPSTREAM, else none.", valueName: "folder"))
    var upstreamPath: String?

    @Flag(help: "Print one JSON object on standard output and nothing else there.")
    var json = false

    @Flag(help: "No progress and no advice; results and errors only.")
    var quiet = false

    @Option(help: ArgumentHelp("Threads to compute on. Results do not depend on it.", valueName: "count"))
    var threads: Int?

    func validate() throws {
        try KernelLimit.check()
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads takes a number from 1 to 1024, not \(threads).")
        }
        if upstreamPath == "" { throw ValidationError("--upstream takes a folder, not an empty text.") }
        if storePath == "" { throw ValidationError("--store takes a folder, not an empty text.") }
    }

    var threadCount: Int { threads ?? CPUBackend.processorCount }

    /// The store to search before computing; nil for none.
    func upstreamLocation(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> URL? {
        let path = upstreamPath ?? environment["PIPELINE_UPSTREAM"].flatMap { $0.isEmpty ? nil : $0 }
        return path.map { URL(fileURLWithPath: $0, isDirectory: true) }
    }

    /// Where the store is.
    ///
    /// - Throws: `PipelineError` with code `usage` when neither an option nor the environment says so.
    func storeLocation(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws -> URL {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let path = storePath ?? value("PIPELINE_STORE") { return URL(fileURLWithPath: path, isDirectory: true) }
        // The XDG specification has relative paths ignored.
        if let data = value("XDG_DATA_HOME"), data.hasPrefix("/") {
            return URL(fileURLWithPath: data, isDirectory: true).appendingPathComponent("pipeline", isDirectory: true)
        }
        guard let home = value("HOME") else {
            throw PipelineError(
                .usage, "there is no home folder to keep a store in",
                advice: "Give --store FOLDER, or set PIPELINE_STORE.")
        }
        return URL(fileURLWithPath: home, isDirectory: true).appendingPathComponent(
            ".local/share/pipeline", isDirectory: true)
    }
}
