import Foundation
import Synchronization

/// Ctrl-C and SIGTERM while a stage works: the first asks it to save and stop, a second Ctrl-C ends the process at
/// once.
enum Interruption {
    private static let received = Atomic<Int32>(0)

    /// The signal that came; nil before the first.
    static var signal: Int32? {
        let number = received.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }

    /// Takes over both signals, unless the process was told to ignore them.
    static func listen() {
        // A handler may only touch what exists already.
        _ = received.load(ordering: .relaxed)
        for number in [SIGINT, SIGTERM] {
            var old = sigaction()
            sigaction(number, nil, &old)
            if unsafeBitCast(old.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
                continue
            }
            var new = sigaction()
            new.__sigaction_handler.sa_handler = { number in
                if number == SIGINT, Interruption.received.load(ordering: .relaxed) != 0 {
                    _exit(ExitStatus.interrupted.rawValue)
                }
                Interruption.received.store(number, ordering: .relaxed)
            }
            new.sa_flags = Int32(SA_RESTART)
            sigaction(number, &new, nil)
        }
    }
}
