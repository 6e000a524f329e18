/// Why an adversarial objective could not be made or evaluated.
public enum AdversarialError: Error, Hashable, Sendable {
    case invalidSetting(name: String, found: String, expected: String)
    /// A divergence from the clean outputs has no gradient where the noise is zero.
    case zeroStart(method: String)
    /// A forward-only loss was asked of a step with noise, and the pass was made without room to keep the noise.
    case noiseNotKept(step: Int)
    /// A forward-only loss was asked before the step's gradient, which is what finds the noise.
    case noNoiseYet(step: Int)
}

extension AdversarialError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidSetting(let name, let found, let expected):
            "\(name): expected \(expected), found \(found)"
        case .zeroStart(let method):
            "\(method) starts its ascent from random noise: where the noise is zero the divergence has no gradient. "
                + "Choose another initialization."
        case .noiseNotKept(let step):
            "step \(step): the loss at the step's noise was asked for, and the noise is not kept"
        case .noNoiseYet(let step):
            "step \(step): the loss at the step's noise was asked for before the gradient that finds it"
        }
    }
}
