import Tensors

/// What a step with noise descends on, and what its noise climbs.
public enum AdversarialMethod: Hashable, Sendable {
    /// L(f(E + δ), y) at the last δ; δ climbs L.
    case label
    /// The mean of L(f(E + δₜ), y) over all δₜ of the ascent, the first included; δ climbs L.
    case average
    /// L(f(E), y) + weight·(KL(noisy ‖ clean) + KL(clean ‖ noisy)), differentiated through both outputs; δ climbs `ascent` with
    /// the clean output held constant.
    case divergence(weight: Double, ascent: Divergence)

    /// What δ climbs, and what the weights descend on.
    var climbed: String {
        switch self {
        case .label, .average: "L(f(E + δ), y)"
        case .divergence(_, .fromClean): "KL(clean ‖ noisy), the clean output held constant"
        case .divergence(_, .symmetric): "KL(noisy ‖ clean) + KL(clean ‖ noisy), the clean output held constant"
        }
    }

    var descended: String {
        switch self {
        case .label: "L(f(E + δ), y)"
        case .average: "the mean of L(f(E + δ), y) over every δ on the way, the first one included"
        case .divergence(let weight, _): "L(f(E), y) + \(weight)·(KL(noisy ‖ clean) + KL(clean ‖ noisy))"
        }
    }

    /// Passes whose activations are kept at one time: what `SequenceModel` has to be made with.
    public var activationSets: Int {
        if case .divergence = self { 2 } else { 1 }
    }
}

/// An adversarial objective with all its constants. The named methods are compositions of a few parts.
public struct AdversarialSettings: Hashable, Sendable {
    public let method: AdversarialMethod
    public let noise: NoiseSettings
    /// t_s: share of the run's steps before the first one with noise.
    public let delay: Double

    /// - Throws: `AdversarialError.invalidSetting`; `.zeroStart` for a divergence whose noise starts at zero.
    public init(_ method: AdversarialMethod, noise: NoiseSettings, delay: Double = 0) throws {
        try NoiseSettings.check("delay", delay, "a number from 0 to 1") { (0...1).contains($0) }
        if case .divergence(let weight, _) = method {
            try NoiseSettings.check("weight", weight, "a finite number of at least 0") { $0.isFinite && $0 >= 0 }
            if noise.initialization.isZero { throw AdversarialError.zeroStart(method: "an objective with a divergence") }
        }
        (self.method, self.noise, self.delay) = (method, noise, delay)
    }

    /// The objective in plain text, a formula a line: y labels, f the model, L the task's loss, all means over the batch.
    public var formula: [String] {
        var lines: [String] = []
        if isPlain { return Self.plainFormula }
        if delay > 0 { lines.append("step k of n, from 0: plain L(f(E), y) while k < \(delay)·n") }
        if noise.interval > 1 { lines.append("one step in every \(noise.interval) has noise, the others are plain") }
        lines += noise.formula(climbing: method.climbed)
        return lines + ["descend on \(method.descended)"]
    }

    /// Of the task's loss alone.
    public static let plainFormula = ["descend on L(f(E), y)        L the task's loss, its mean over the batch"]

    /// ScaLA on the labels. With `ascentSteps` 0 it is the random-noise control.
    public static func scala(noise: NoiseSettings, delay: Double = 0.5) throws -> Self {
        try Self(.label, noise: noise, delay: delay)
    }

    /// ScaLA on the clean output (mode clean-kl).
    public static func scalaCleanKL(noise: NoiseSettings, weight: Double = 1, delay: Double = 0.5) throws -> Self {
        try Self(.divergence(weight: weight, ascent: .fromClean), noise: noise, delay: delay)
    }

    /// FreeLB with K = `ascentSteps` + 1 passes, each of which gives weights a gradient.
    public static func freeLB(noise: NoiseSettings) throws -> Self { try Self(.average, noise: noise) }

    public static func smart(noise: NoiseSettings, weight: Double = 1) throws -> Self {
        try Self(.divergence(weight: weight, ascent: .symmetric), noise: noise)
    }

    /// R3F: random noise, no ascent and no ball.
    public static func r3f(initialization: NoiseSettings.Initialization = .uniform(1e-5), weight: Double = 1,
                           place: NoisePlace = .word, share: Double = 1, interval: Int = 1) throws -> Self {
        let noise = try NoiseSettings(place: place, initialization: initialization, stepSize: 0, radius: .infinity, ascentSteps: 0,
                                      share: share, interval: interval)
        return try Self(.divergence(weight: weight, ascent: .symmetric), noise: noise)
    }

    /// Every step of a run is the plain one.
    public var isPlain: Bool {
        if case .divergence(weight: 0, _) = method { return true }
        return noise.isOff || delay == 1
    }

    /// Whether a step, counted from 0, of a run of `steps` has noise: from ⌈t_s·steps⌉ on every `interval`-th.
    public func isActive(step: Int, of steps: Int) -> Bool {
        // t_s·steps of 3.0000000000000004 is meant to be 3.
        let first = Int((delay * Double(steps) - 1e-9).rounded(.up))
        return !isPlain && step >= first && (step - first) % noise.interval == 0
    }
}
