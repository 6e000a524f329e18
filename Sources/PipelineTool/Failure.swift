import Foundation
import Optimizers
import Pipeline
import Remote
import Store
import Tokenizers

/// An error as the person at the terminal meets it: an exit code, and one message that ends with what to try next.
struct Failure {
    let status: ExitStatus
    /// nil when there is nobody to tell.
    let message: String?

    init(_ error: any Error) {
        switch error {
        case let error as PipelineError: self = Self.pipeline(error)
        case let error as FormatError: self = Self.format(error)
        case let error as TokenizerError:
            self.init(
                .badInput, error.description, ifNoAdvice: error.advice, "Correct the file and run the command again.")
        case let error as OptimizerError: self = Self.optimizer(error)
        case let error as StoreError: self = Self.store(error)
        case let error as RemoteError: self = Self.remote(error)
        case let error as Interrupted: self = Self.interrupted(error)
        case is VerificationInterrupted:
            self.init(
                status: Interruption.signal == SIGTERM ? .terminated : .interrupted,
                message: "interrupted; the position is kept. Go on with 'pipeline store verify --resume'.")
        case is TransferInterrupted: self = Self.transferInterrupted()
        case let error as DamageFound: self.init(status: .damaged, message: error.description)
        case let error as StandardOutput.Failure:
            // Whoever read our output has seen enough, as `head` has.
            self =
                error.code == EPIPE
                ? Self(status: .done, message: nil)
                : Self(
                    status: .failed,
                    message: "\(error). Check that there is space and permission, and run the command again.")
        default:
            self.init(
                status: .failed,
                message: "\(Self.text(of: error)). Run the command again; if it fails again, please report it.")
        }
    }

    private init(status: ExitStatus, message: String?) {
        self.status = status
        self.message = message
    }

    private init(_ status: ExitStatus, _ message: String, ifNoAdvice advice: String?, _ fallback: String) {
        self.init(status: status, message: advice == nil ? Self.sentence(message) + " " + fallback : message)
    }

    private static func sentence(_ text: String) -> String { text.hasSuffix(".") ? text : text + "." }

    private static func text(of error: any Error) -> String {
        (error as? CocoaError)?.localizedDescription ?? "\(error)"
    }

    private static func pipeline(_ error: PipelineError) -> Failure {
        let status: ExitStatus =
            switch error.code {
            case .usage: .wrongUsage
            case .unfitInput, .recipe: .badInput
            case .otherNumericPath: .unavailable
            }
        let fallback =
            switch error.code {
            case .usage: "See 'pipeline --help'."
            case .recipe: "See 'pipeline recipes' for the keys and their values."
            default: "Correct the input and run the command again."
            }
        return Failure(status, error.description, ifNoAdvice: error.advice, fallback)
    }

    private static func format(_ error: FormatError) -> Failure {
        let status: ExitStatus = error.reason == .fileUnwritable ? .failed : .badInput
        let failure = Failure(
            status, error.description, ifNoAdvice: error.advice,
            error.reason == .unsupportedModelType || error.reason == .unsupportedValue
                ? "What the file describes cannot be used here; take another." : "Correct the file and run the command again.")
        return Failure(status: status, message: failure.message.map { "\($0) [\(error.reason.rawValue)]" })
    }

    private static func optimizer(_ error: OptimizerError) -> Failure {
        switch error {
        case .unknownOptimizer, .unknownKey, .invalidValue, .nothingToTrain:
            Failure(
                .badInput, error.description, ifNoAdvice: nil, "See 'pipeline recipes' for the keys and their values.")
        case .lossNotFinite, .gradientNotFinite, .weightNotFinite: Failure(status: .failed, message: error.description)
        case .stateMissing, .stateUnexpected, .stateMisshapen, .stateOfWrongKind:
            Failure(.badInput, error.description, ifNoAdvice: nil, "--restart begins the run anew.")
        }
    }

    private static func store(_ error: StoreError) -> Failure {
        let status: ExitStatus
        let fallback: String
        switch error.code {
        case _ where error.isDamage:
            (status, fallback) = (.damaged, "See what is hit with 'pipeline store verify'.")
        case .notFound, .ambiguous, .nameInUse, .invalidName, .invalidDigest, .notAStore:
            (status, fallback) = (.wrongUsage, "See what there is with 'pipeline store list'.")
        case .newerFormat, .busy: (status, fallback) = (.unavailable, "Run the command again later.")
        case .readOnly, .diskFull, .inputOutput:
            (status, fallback) = (.failed, "Check that there is space and permission, and run the command again.")
        default: (status, fallback) = (.badInput, "Correct the input and run the command again.")
        }
        return Failure(status, error.description, ifNoAdvice: error.advice, fallback)
    }

    private static func remote(_ error: RemoteError) -> Failure {
        let (status, fallback): (ExitStatus, String) =
            switch error.code {
            case .invalidAddress, .notFound, .ambiguous, .nameInUse: (.wrongUsage, "See 'pipeline push --help'.")
            case .unauthorized, .unavailable: (.unavailable, "Run the command again later.")
            case .wrongContent: (.damaged, "Run the command again.")
            case .unexpectedAnswer: (.badInput, "Check the address.")
            case .inputOutput: (.failed, "Check that there is space and permission, and run the command again.")
            }
        return Failure(status, error.description, ifNoAdvice: error.advice, fallback)
    }

    private static func transferInterrupted() -> Failure {
        let command = ShellText.command(ProcessInfo.processInfo.arguments.dropFirst())
        return Failure(
            status: Interruption.signal == SIGTERM ? .terminated : .interrupted,
            message: "interrupted; what has arrived whole is kept. Go on with the same command: \(command)")
    }

    private static func interrupted(_ error: Interrupted) -> Failure {
        let command = ShellText.command(ProcessInfo.processInfo.arguments.dropFirst())
        let same = ProcessInfo.processInfo.arguments.contains { $0 == "--trace" || $0.hasPrefix("--trace=") } ? "the same command and another folder for --trace" : "the same command"
        let message =
            error.step.map {
                "interrupted after step \($0); a checkpoint is saved. Go on with \(same): \(command)"
            }
            ?? "interrupted; nothing of this command was stored. Run it again: \(command)"
        return Failure(status: Interruption.signal == SIGTERM ? .terminated : .interrupted, message: message)
    }
}

/// A verification in portions that was asked to stop.
struct VerificationInterrupted: Error {}

/// A verification that ended with findings, which have been printed.
struct DamageFound: Error, CustomStringConvertible {
    let count: Int
    var description: String {
        "\(count) \(count == 1 ? "file" : "files") of the store damaged or missing. "
            + "Look for the bytes with 'pipeline store repair --from PATH', or import, prepare or adapt again what is named above."
    }
}
