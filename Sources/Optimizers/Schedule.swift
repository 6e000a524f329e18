import Foundation

/// How long the learning rate rises linearly from 0 at the start of a run.
public enum Warmup: Hashable, Sendable {
    case steps(Int)
    /// Share of all steps; the number of steps is truncated, as `int(share * steps)`.
    case share(Double)

    public func steps(of total: Int) -> Int {
        switch self {
        case .steps(let count): count
        case .share(let share): Int(share * Double(total))
        }
    }
}

/// Factor on the learning rate as a function of the step, equal to the schedules of `transformers` bit for bit.
///
/// With k the 0-based step, w the warm-up, n all steps: factor k/w for k < w, afterwards
/// ```
/// constant      1
/// linear        (n − k)/(n − w)
/// cosine        ½·(1 + cos(π·(k − w)/(n − w)))
/// polynomial    ((η − e)·(1 − (k − w)/(n − w))^p + e)/η        η the learning rate, e the end rate
/// inverse_sqrt  1/√(k/w);  without warm-up 1/√((k + 10000)/10000)
/// ```
/// The first step of a run with warm-up has rate 0, there as here. Source: `transformers.optimization`.
public struct Schedule: Hashable, Sendable {
    public enum Shape: Hashable, Sendable {
        case constant
        case linear
        case cosine
        case polynomial(power: Double, end: Double)
        case inverseSquareRoot
    }

    public let shape: Shape
    public let steps: Int
    public let warmup: Int

    public init(_ shape: Shape, steps: Int, warmup: Warmup = .steps(0)) {
        precondition(steps >= 0)
        self.shape = shape
        self.steps = steps
        self.warmup = warmup.steps(of: steps)
        precondition(self.warmup >= 0)
    }

    /// The names that recipes use.
    public static let names = ["constant", "linear", "cosine", "polynomial", "inverse_sqrt"]

    public var name: String {
        switch shape {
        case .constant: "constant"
        case .linear: "linear"
        case .cosine: "cosine"
        case .polynomial: "polynomial"
        case .inverseSquareRoot: "inverse_sqrt"
        }
    }

    /// The factor s as plain text, for a 0-based step k of n with w steps of warm-up.
    public var formula: [String] {
        let after =
            switch shape {
            case .constant: "1"
            case .linear: "(n − k)/(n − w)"
            case .cosine: "½·(1 + cos(π·(k − w)/(n − w)))"
            case .polynomial(let power, let end):
                "((η − e)·(1 − (k − w)/(n − w))^\(power) + e)/η, e = \(end) and η the learning rate"
            case .inverseSquareRoot: "1/√(k/w), without warm-up 1/√((k + 10000)/10000)"
            }
        return ["s = k/w for k < w, then \(after)        in step k of n from 0, with w steps of warm-up"]
    }

    /// The factor at a 0-based step. `learningRate` matters to the polynomial shape only.
    public func factor(at step: Int, learningRate: Double) -> Double {
        if step < warmup { return Double(step) / Double(max(1, warmup)) }
        let decaySteps = Double(max(1, steps - warmup))
        switch shape {
        case .constant:
            return 1
        case .linear:
            return max(0, Double(steps - step) / decaySteps)
        case .cosine:
            let progress = Double(step - warmup) / decaySteps
            return max(0, 0.5 * (1 + cos(Double.pi * 0.5 * 2 * progress)))
        case .polynomial(let power, let end):
            // The reference divides by zero when the warm-up ends exactly at the last step; here that is the end rate.
            if step > steps || steps == warmup { return end / learningRate }
            let remaining = 1 - Double(step - warmup) / Double(steps - warmup)
            return ((learningRate - end) * pow(remaining, power) + end) / learningRate
        case .inverseSquareRoot:
            let scale = warmup == 0 ? 10_000 : warmup
            return 1 / (Double(step + scale - warmup) / Double(scale)).squareRoot()
        }
    }

    /// The learning rate used in the 0-based step.
    public func rate(at step: Int, learningRate: Double) -> Double {
        learningRate * factor(at: step, learningRate: learningRate)
    }
}
