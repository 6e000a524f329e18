import Foundation

/// What a terminal, if there is one, can show.
struct Terminal: Hashable, Sendable {
    /// Whether a line can be drawn again in place.
    let isInteractive: Bool
    let hasColor: Bool
    let columns: Int

    init(isInteractive: Bool, hasColor: Bool, columns: Int) {
        self.isInteractive = isInteractive
        self.hasColor = hasColor
        self.columns = columns
    }

    static var standardError: Terminal { Terminal(STDERR_FILENO) }

    private init(_ descriptor: Int32, environment: [String: String] = ProcessInfo.processInfo.environment) {
        isInteractive = isatty(descriptor) == 1 && environment["TERM"] != "dumb"
        hasColor = isInteractive && (environment["NO_COLOR"] ?? "").isEmpty
        var size = winsize()
        if let given = environment["COLUMNS"].flatMap({ Int($0) }), given > 0 {
            columns = given
        } else if ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 {
            columns = Int(size.ws_col)
        } else {
            columns = 80
        }
    }
}
