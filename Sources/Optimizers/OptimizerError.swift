/// Why an optimizer could not be built, restored or stepped.
public enum OptimizerError: Error, Hashable, Sendable {
    /// The loss of update `step` (counted from 1) is NaN or infinite. Nothing was changed.
    case lossNotFinite(step: Int, value: String)
    /// A gradient holds a NaN or an infinity. Nothing was changed.
    case gradientNotFinite(tensor: String, element: Int, value: String, step: Int)
    /// Update `step` left a weight that is a NaN or an infinity, with a loss and a gradient that were none.
    case weightNotFinite(tensor: String, element: Int, value: String, step: Int)
    case unknownOptimizer(found: String, known: [String])
    case unknownKey(optimizer: String, found: String, known: [String])
    case invalidValue(key: String, found: String, expected: String)
    /// Every tensor is frozen: there is nothing to train.
    case nothingToTrain
    case stateMissing(name: String, found: [String])
    case stateUnexpected(name: String, expected: [String])
    case stateMisshapen(moment: String, tensor: String, expected: String, found: String)
    case stateOfWrongKind(name: String, expected: String, found: String)
}

extension OptimizerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .lossNotFinite(let step, let value):
            "step \(step): the loss is \(value); nothing was changed. \(Self.smaller)."
        case .gradientNotFinite(let tensor, let element, let value, let step):
            "step \(step): the gradient of \(tensor) is \(value) at element \(element); nothing was changed. "
                + "\(Self.smaller). Check the weights that the run started from."
        case .weightNotFinite(let tensor, let element, let value, let step):
            "step \(step): the update left \(tensor) with \(value) at element \(element); no model was stored. \(Self.smaller)."
        case .unknownOptimizer(let found, let known):
            "unknown optimizer '\(found)'; known are \(known.joined(separator: ", "))"
        case .unknownKey(let optimizer, let found, let known):
            "optimizer \(optimizer) has no key '\(found)'; it knows \(known.joined(separator: ", "))"
        case .invalidValue(let key, let found, let expected):
            "\(key): expected \(expected), found \(found)"
        case .nothingToTrain:
            "every parameter is frozen: there is nothing to train. Leave at least one unit out of freeze."
        case .stateMissing(let name, let found):
            "the saved optimizer state lacks \(name); it holds \(Self.listing(found)). "
                + "Resume from another checkpoint, or start the run again."
        case .stateUnexpected(let name, let expected):
            "the saved optimizer state holds \(name), which this optimizer does not have; it has "
                + "\(Self.listing(expected)). Resume with the recipe that the checkpoint was made with."
        case .stateMisshapen(let moment, let tensor, let expected, let found):
            "the saved optimizer state \(moment) does not fit the model at \(tensor): expected \(expected), found "
                + "\(found). Resume with the model and freeze setting that the checkpoint was made with."
        case .stateOfWrongKind(let name, let expected, let found):
            "the saved optimizer state \(name) should be \(expected), found \(found)"
        }
    }

    private static let smaller =
        "Try a lower learning_rate or a longer warmup (with a search a lower max_step), or a smaller sharpness_radius or noise"

    private static func listing(_ names: [String]) -> String {
        names.isEmpty ? "nothing" : names.joined(separator: ", ")
    }
}
