import Foundation
import Tensors

@testable import Optimizers

/// f(x) = ½ Σ a·(x − c)² over all tensors, with curvatures between 1 and 3 and its minimum at c.
final class Parabola: Objective {
    let parameters: Parameters
    let centre: Parameters
    private(set) var lossEvaluations = 0

    init(_ layout: ParameterLayout, seed: UInt64 = 1) {
        parameters = Parameters(layout: layout)
        centre = Parameters(layout: layout)
        var random = SplitMix(state: seed)
        for entry in layout.entries {
            for index in 0..<entry.count {
                centre[entry][index] = random.symmetric()
                parameters[entry][index] = random.symmetric()
            }
        }
    }

    private func curvature(_ index: Int) -> Float { 1 + Float(index % 5) * 0.5 }

    func loss() throws -> Double {
        lossEvaluations += 1
        return parameters.layout.entries.reduce(0.0) { sum, entry in
            let x = parameters[entry]
            let c = centre[entry]
            return x.indices.reduce(sum) { $0 + 0.5 * Double(curvature($1)) * pow(Double(x[$1] - c[$1]), 2) }
        }
    }

    func lossAndGradient(into gradient: Parameters) throws -> Double {
        for entry in parameters.layout.entries {
            let x = parameters[entry]
            let c = centre[entry]
            let g = gradient[entry]
            for index in x.indices { g[index] = curvature(index) * (x[index] - c[index]) }
        }
        return try loss()
    }
}

/// f(x, y) = (1 − x)² + 100·(y − x²)², from (−1.2, 1); its minimum is 0 at (1, 1).
final class Rosenbrock: Objective {
    let parameters: Parameters

    static let layout: ParameterLayout = {
        var layout = ParameterLayout()
        layout.append("x", [1], role: .bias, unit: .block(0))
        layout.append("y", [1], role: .bias, unit: .head)
        return layout
    }()

    init() {
        parameters = Parameters(layout: Self.layout)
        parameters["x"][0] = -1.2
        parameters["y"][0] = 1
    }

    private var point: (Double, Double) { (Double(parameters["x"][0]), Double(parameters["y"][0])) }

    func loss() throws -> Double {
        let (x, y) = point
        return pow(1 - x, 2) + 100 * pow(y - x * x, 2)
    }

    func lossAndGradient(into gradient: Parameters) throws -> Double {
        let (x, y) = point
        gradient["x"][0] = Float(-2 * (1 - x) - 400 * x * (y - x * x))
        gradient["y"][0] = Float(200 * (y - x * x))
        return try loss()
    }
}

/// Whatever gradient and loss a closure gives, for single steps.
final class Given: Objective {
    let parameters: Parameters
    private let value: Double
    /// Loss of forward-only evaluations.
    var trialLoss: Double
    private let fill: (Parameters) -> Void

    init(_ layout: ParameterLayout, loss: Double = 1, weights: Float = 1, fill: @escaping (Parameters) -> Void) {
        parameters = Parameters(layout: layout)
        parameters.fill(weights)
        value = loss
        trialLoss = loss
        self.fill = fill
    }

    func loss() throws -> Double { trialLoss }

    func lossAndGradient(into gradient: Parameters) throws -> Double {
        fill(gradient)
        return value
    }
}

struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in (−1, 1).
    mutating func symmetric() -> Float { Float(Double(next() >> 11) / Double(1 << 52) - 1) }
}

enum ToyLayouts {
    /// Every unit and every role, in sizes that are no multiples of anything.
    static let network: ParameterLayout = {
        var layout = ParameterLayout()
        layout.append("words", [33, 9], role: .embedding, unit: .embeddings)
        layout.append("words.norm", [9], role: .normalization, unit: .embeddings)
        for block in 0..<3 {
            layout.append("block\(block).weight", [9, 9], role: .weight, unit: .block(block))
            layout.append("block\(block).bias", [9], role: .bias, unit: .block(block))
        }
        layout.append("head.weight", [2, 9], role: .weight, unit: .head)
        layout.append("head.bias", [2], role: .bias, unit: .head)
        return layout
    }()

    /// Large enough for many tasks and for chunks in the middle of tensors.
    static let large: ParameterLayout = {
        var layout = ParameterLayout()
        layout.append("words", [701, 131], role: .embedding, unit: .embeddings)
        for block in 0..<2 {
            layout.append("block\(block).weight", [257, 301], role: .weight, unit: .block(block))
            layout.append("block\(block).bias", [257], role: .bias, unit: .block(block))
        }
        layout.append("head.weight", [3, 257], role: .weight, unit: .head)
        return layout
    }()
}
