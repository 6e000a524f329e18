import Tensors

/// The perturbation δ of the embeddings: where it is added, how it starts, and how it climbs.
public struct NoiseSettings: Hashable, Sendable {
    public enum Initialization: Hashable, Sendable {
        /// uniform(−1, 1)·σ/√(length·C) for each element: ‖δ‖₂ is about σ/√3 for an example of any length.
        case scaledUniform(Double)
        /// uniform(−ε, ε) for each element.
        case uniform(Double)
        /// Normal with this standard deviation for each element.
        case normal(Double)
        case zero

        var isZero: Bool {
            switch self {
            case .zero, .scaledUniform(0), .uniform(0), .normal(0): true
            default: false
            }
        }

        fileprivate var size: Double {
            switch self {
            case .scaledUniform(let size), .uniform(let size), .normal(let size): size
            case .zero: 0
            }
        }
    }

    public enum Norm: String, Hashable, Sendable, CaseIterable {
        /// ‖·‖₂ of an example over all its tokens; projection shortens δ.
        case l2
        /// The largest element of each token; projection clamps each element.
        case lInfinity = "linf"
    }

    public let place: NoisePlace
    public let initialization: Initialization
    public let norm: Norm
    /// ρ
    public let stepSize: Double
    /// ω; infinite for no ball.
    public let radius: Double
    /// T
    public let ascentSteps: Int
    /// Share of the examples that get noise, each by its own draw.
    public let share: Double
    /// Every n-th step has noise.
    public let interval: Int

    /// - Throws: `AdversarialError.invalidSetting`.
    public init(place: NoisePlace = .word, initialization: Initialization = .scaledUniform(0.1), norm: Norm = .l2,
                stepSize: Double = 0.1, radius: Double = 0.3, ascentSteps: Int = 1, share: Double = 1, interval: Int = 1) throws {
        try Self.check("initialization", initialization.size, "a finite size of at least 0") { $0.isFinite && $0 >= 0 }
        try Self.check("step size", stepSize, "a finite number of at least 0") { $0.isFinite && $0 >= 0 }
        try Self.check("radius", radius, "a number of at least 0") { $0 >= 0 }
        try Self.check("ascent steps", ascentSteps, "0 to 100") { (0...100).contains($0) }
        try Self.check("share", share, "a number from 0 to 1") { (0...1).contains($0) }
        try Self.check("interval", interval, "at least 1") { $0 >= 1 }
        (self.place, self.initialization, self.norm, self.stepSize) = (place, initialization, norm, stepSize)
        (self.radius, self.ascentSteps, self.share, self.interval) = (radius, ascentSteps, share, interval)
    }

    /// How the noise of one example [length, C] is made, in plain text.
    ///
    /// - Parameter climbed: what it climbs.
    func formula(climbing climbed: String) -> [String] {
        let place = switch place {
        case .word: "E the word embeddings, before positions, types and LayerNorm"
        case .normalized: "E the embeddings after their LayerNorm, before dropout"
        }
        let start = switch initialization {
        case .scaledUniform(let size): "uniform(−1, 1)·\(size)/√(length·C)"
        case .uniform(let size): "uniform(−1, 1)·\(size)"
        case .normal(let size): "normal(0, \(size))"
        case .zero: "0"
        }
        let length = switch norm {
        case .l2: "‖·‖ the root of the sum of squares of an example"
        case .lInfinity: "‖·‖ the largest element of a token"
        }
        var lines = ["\(place); δ of each example"]
        lines.append(radius.isFinite ? "δ ← Π(\(start))        Π onto ‖δ‖ ≤ \(radius), \(length)" : "δ ← \(start)")
        if ascentSteps > 0 {
            let moved = "δ + \(stepSize)·g/‖g‖"
            lines.append("\(ascentSteps) × g ← ∂/∂δ of \(climbed);  δ ← \(radius.isFinite ? "Π(\(moved))" : moved)"
                + (radius.isFinite ? "" : "        \(length)"))
        }
        if share < 1 { lines.append("for an example with probability \(share); δ = 0 for the others") }
        return lines
    }

    /// δ is zero whatever the gradient: the step is the plain one.
    var isOff: Bool { share == 0 || radius == 0 || initialization.isZero && (ascentSteps == 0 || stepSize == 0) }

    static func check<Value>(_ name: String, _ value: Value, _ expected: String, _ accepts: (Value) -> Bool) throws {
        guard accepts(value) else {
            throw AdversarialError.invalidSetting(name: name, found: "\(value)", expected: expected)
        }
    }
}
