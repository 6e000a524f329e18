import Foundation
import Store
import Testing

/// The built executable `pipeline`, which lies beside the test bundle.
enum Tool {
    struct Outcome {
        let status: Int32
        let output: String
        let errors: String

        /// The one JSON object that `--json` prints.
        func json() throws -> JSONValue {
            try #require(
                output.hasSuffix("\n") && output.dropLast().allSatisfy { $0 != "\n" },
                "not one line: \(output) \(errors)")
            return try JSONValue(parsing: Array(output.utf8.dropLast()))
        }
    }

    static let url = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        .appendingPathComponent("pipeline")

    /// Runs a command to its end.
    static func run(_ words: [String], input: String = "", environment: [String: String] = [:], in scratch: Scratch)
        throws -> Outcome
    {
        try start(words, input: input, environment: environment, in: scratch).wait()
    }

    /// Starts a command.
    static func start(_ words: [String], input: String = "", environment: [String: String] = [:], in scratch: Scratch)
        throws -> Running
    {
        try Running(words, input: input, environment: environment, scratch)
    }

    /// A command at work. Its streams are files, so that nobody waits for anybody.
    struct Running {
        let process: pid_t
        private let output: URL
        private let errors: URL

        fileprivate init(_ words: [String], input: String, environment: [String: String], _ scratch: Scratch) throws {
            let name = UUID().uuidString
            let source = scratch.url.appendingPathComponent(name + ".in")
            output = scratch.url.appendingPathComponent(name + ".out")
            errors = scratch.url.appendingPathComponent(name + ".err")
            try Data(input.utf8).write(to: source)
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_addopen(&actions, 0, source.path, O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 1, output.path, O_WRONLY | O_CREAT, 0o600)
            posix_spawn_file_actions_addopen(&actions, 2, errors.path, O_WRONLY | O_CREAT, 0o600)
            // A test's thread blocks signals, and a command must not inherit that.
            var attributes = posix_spawnattr_t()
            posix_spawnattr_init(&attributes)
            defer { posix_spawnattr_destroy(&attributes) }
            var none = sigset_t()
            sigemptyset(&none)
            posix_spawnattr_setsigmask(&attributes, &none)
            var all = sigset_t()
            sigfillset(&all)
            posix_spawnattr_setsigdefault(&attributes, &all)
            posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
            var variables = ProcessInfo.processInfo.environment
            variables["PIPELINE_STORE"] = scratch.store.path
            variables.merge(environment) { $1 }
            var arguments = ([Tool.url.path] + words).map { strdup($0) } + [nil]
            var values = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
            defer { (arguments + values).forEach { free($0) } }
            var process: pid_t = 0
            let code = posix_spawn(&process, Tool.url.path, &actions, &attributes, &arguments, &values)
            try #require(code == 0, "\(Tool.url.path) cannot be started: \(String(cString: strerror(code)))")
            self.process = process
        }

        /// 128 and the signal's number for a death by signal, as a shell says it.
        func wait() throws -> Outcome {
            var status: Int32 = 0
            while waitpid(process, &status, 0) < 0, errno == EINTR {}
            let code = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
            return Outcome(
                status: code, output: try String(contentsOf: output, encoding: .utf8),
                errors: try String(contentsOf: errors, encoding: .utf8))
        }
    }
}
