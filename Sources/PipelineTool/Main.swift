import ArgumentParser
import Foundation

/// The one place that runs a command, prints its failure and exits.
@main
enum Main {
    static func main() {
        // A reader that went away shows as EPIPE at the write, not as death by signal.
        signal(SIGPIPE, SIG_IGN)
        var command: ParsableCommand
        do { command = try PipelineCommand.parseAsRoot() } catch { leave(withParserError: error) }
        do { try command.run() } catch {
            if PipelineCommand.exitCode(for: error) == .success { leave(withParserError: error) }
            leave(Failure(error))
        }
    }

    private static func leave(_ failure: Failure) -> Never {
        if let message = failure.message { StandardError.write("error: \(message)\n") }
        exit(failure.status.rawValue)
    }

    /// Help and version go to standard output, a misused option to standard error with the usage below it.
    private static func leave(withParserError error: any Error) -> Never {
        let text = PipelineCommand.fullMessage(for: error)
        guard PipelineCommand.exitCode(for: error) != .success else {
            do { try StandardOutput.write(text + "\n") } catch { leave(Failure(error)) }
            exit(ExitStatus.done.rawValue)
        }
        let prefix = "Error: "
        StandardError.write("error: " + (text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text) + "\n")
        exit(ExitStatus.wrongUsage.rawValue)
    }
}
