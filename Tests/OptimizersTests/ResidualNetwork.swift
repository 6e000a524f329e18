import Foundation
import Tensors

@testable import Optimizers

/// The small classifier of `make_search_goldens.py`: the mean of three rows, residual tanh blocks, a linear head, mean
/// cross-entropy. Float32 weights, everything else in double.
final class ResidualNetwork: Objective {
    let parameters: Parameters
    private let ids: [[Int]]
    private let labels: [Int]
    private let batch: Int
    private let width: Int
    private let blocks: Int
    private let classes: Int
    /// Which batch is at hand, round and round.
    var turn = 0

    init(layout: ParameterLayout, start: [Float], ids: [[Int]], labels: [Int], batch: Int) {
        parameters = Parameters(layout: layout)
        parameters.load(start)
        self.ids = ids
        self.labels = labels
        self.batch = batch
        width = layout["words"]!.shape[1]
        classes = layout["head.bias"]!.shape[0]
        blocks = UnitRates.blocks(in: layout)
    }

    func loss() throws -> Double { evaluate(nil) }

    func lossAndGradient(into gradient: Parameters) throws -> Double {
        for entry in gradient.layout.entries { gradient[entry].update(repeating: 0) }
        let sums = gradient.layout.entries.map { [Double](repeating: 0, count: $0.count) }
        var named = Dictionary(uniqueKeysWithValues: zip(gradient.layout.entries.map(\.name), sums))
        let loss = evaluate { name, index, value in named[name]![index] += value }
        for (name, values) in named { for (index, value) in values.enumerated() { gradient[name][index] = Float(value) } }
        return loss
    }

    private func evaluate(_ add: ((String, Int, Double) -> Void)?) -> Double {
        let first = turn % (ids.count / batch) * batch
        var total = 0.0
        for example in first..<first + batch { total += evaluate(ids[example], labels[example], add) }
        return total / Double(batch)
    }

    private func matrix(_ name: String, _ x: [Double], bias: String) -> [Double] {
        let w = parameters[name]
        return parameters[bias].indices.map { row in
            x.indices.reduce(Double(parameters[bias][row])) { $0 + Double(w[row * x.count + $1]) * x[$1] }
        }
    }

    private func evaluate(_ ids: [Int], _ label: Int, _ add: ((String, Int, Double) -> Void)?) -> Double {
        let words = parameters["words"]
        var states = [(0..<width).map { c in ids.reduce(0.0) { $0 + Double(words[$1 * width + c]) } / Double(ids.count) }]
        var activations: [[Double]] = []
        for block in 0..<blocks {
            activations.append(matrix("block\(block).weight", states[block], bias: "block\(block).bias").map(tanh))
            states.append(zip(states[block], activations[block]).map(+))
        }
        let logits = matrix("head.weight", states[blocks], bias: "head.bias")
        let top = logits.max()!
        let logSum = top + log(logits.reduce(0.0) { $0 + exp($1 - top) })
        guard let add else { return logSum - logits[label] }

        let scale = 1 / Double(batch)
        let dLogits = logits.indices.map { (exp(logits[$0] - logSum) - ($0 == label ? 1 : 0)) * scale }
        var d = backward("head", dLogits, states[blocks], add)
        for block in (0..<blocks).reversed() {
            let inner = zip(d, activations[block]).map { $0 * (1 - $1 * $1) }
            d = zip(d, backward("block\(block)", inner, states[block], add)).map(+)
        }
        for id in ids { for c in 0..<width { add("words", id * width + c, d[c] / Double(ids.count)) } }
        return logSum - logits[label]
    }

    private func backward(
        _ name: String, _ dOut: [Double], _ x: [Double], _ add: (String, Int, Double) -> Void
    ) -> [Double] {
        let w = parameters["\(name).weight"]
        for row in dOut.indices {
            add("\(name).bias", row, dOut[row])
            for column in x.indices { add("\(name).weight", row * x.count + column, dOut[row] * x[column]) }
        }
        return x.indices.map { column in
            dOut.indices.reduce(0.0) { $0 + dOut[$1] * Double(w[$1 * x.count + column]) }
        }
    }
}
