/// What the tool's exit codes mean.
enum ExitStatus: Int32 {
    case done = 0
    case failed = 1
    /// Damaged data was found in the store.
    case damaged = 2
    case wrongUsage = 64
    case badInput = 65
    /// Something that is needed is not there at the moment.
    case unavailable = 69
    /// By Ctrl-C, after saving.
    case interrupted = 130
    /// By SIGTERM, after saving.
    case terminated = 143
}
