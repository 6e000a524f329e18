import Foundation
import Tensors

@testable import Optimizers

/// Fixtures/optimizers/sharpness.json; sharpness.py beside it says how it was made.
struct SharpnessGolden: Decodable {
    struct Tensor: Decodable {
        let name: String
        let shape: [Int]
    }
    struct Run: Decodable {
        let frozen: String
        let radius: Double
        let losses: [Double]
        let gradientNorms: [Double]
        let end: [Double]
    }
    let rate: Double
    let steps: Int
    let tensors: [Tensor]
    let start: [Double]
    let inputs: [[Double]]
    let targets: [Double]
    let runs: [Run]

    static func load() throws -> SharpnessGolden {
        let url = RecordedGradients.folder.appendingPathComponent("sharpness.json")
        return try JSONDecoder().decode(Self.self, from: Data(contentsOf: url))
    }
}

/// The network of sharpness.py: float32 weights, everything between in double.
///
/// f = mean over rows of log(1 + exp(−y·z)), z = w₂·tanh(W₁·input + b₁) + b₂.
final class TinyNetwork: Objective {
    let parameters: Parameters
    private let inputs: [[Double]]
    private let targets: [Double]

    init(_ golden: SharpnessGolden) {
        var layout = ParameterLayout()
        for tensor in golden.tensors {
            layout.append(
                tensor.name, tensor.shape, role: tensor.shape.count == 2 ? .weight : .bias,
                unit: tensor.name.hasPrefix("head") ? .head : .block(0))
        }
        parameters = Parameters(layout: layout)
        parameters.load(golden.start.map { Float($0) })
        inputs = golden.inputs
        targets = golden.targets
    }

    func loss() throws -> Double { try lossAndGradient(into: Parameters(layout: parameters.layout)) }

    func lossAndGradient(into gradient: Parameters) throws -> Double {
        func weights(_ name: String) -> [Double] { parameters[name].map { Double($0) } }
        let (w1, b1) = (weights("hidden.weight"), weights("hidden.bias"))
        let (w2, b2) = (weights("head.weight"), weights("head.bias"))
        var (dW1, db1) = (w1.map { _ in 0.0 }, b1.map { _ in 0.0 })
        var (dW2, db2) = (db1, 0.0)
        var loss = 0.0
        let rows = Double(inputs.count)
        for (input, target) in zip(inputs, targets) {
            let hidden = b1.indices.map { unit in
                tanh(b1[unit] + input.indices.reduce(0.0) { $0 + w1[unit * input.count + $1] * input[$1] })
            }
            let z = b2[0] + hidden.indices.reduce(0.0) { $0 + w2[$1] * hidden[$1] }
            loss += log1p(exp(-target * z)) / rows
            let dz = -target / (1 + exp(target * z)) / rows
            db2 += dz
            for unit in hidden.indices {
                dW2[unit] += dz * hidden[unit]
                let d = dz * w2[unit] * (1 - hidden[unit] * hidden[unit])
                db1[unit] += d
                for column in input.indices { dW1[unit * input.count + column] += d * input[column] }
            }
        }
        gradient.load((dW1 + db1 + dW2 + [db2]).map { Float($0) })
        return loss
    }
}
