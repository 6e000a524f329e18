import Foundation
import Models
import Store
import Tensors

@testable import Pipeline

/// One step of a trace, computed again in double on the reference backend from its files alone.
final class TracedStep {
    let line: JSONValue
    private let tensors: [String: Tensor]

    private struct Tensor {
        let isFloat: Bool
        let bytes: Data

        var floats: [Float] { bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) } }
        var integers: [Int32] { bytes.withUnsafeBytes { Array($0.bindMemory(to: Int32.self)) } }
    }

    init(_ folder: URL, _ line: JSONValue) throws {
        self.line = line
        tensors = try Self.read(folder.appendingPathComponent(String(format: "step-%06d.safetensors", line["step"]!.integerValue!)))
    }

    static func lines(_ folder: URL) throws -> [JSONValue] {
        try String(contentsOf: folder.appendingPathComponent("steps.jsonl"), encoding: .utf8).split(separator: "\n")
            .map { try JSONValue(parsing: String($0)) }
    }

    static func endWeights(_ folder: URL) throws -> [String: [Float]] {
        part("weights", try read(folder.appendingPathComponent("end.safetensors")))
    }

    private static func read(_ url: URL) throws -> [String: Tensor] {
        let data = try Data(contentsOf: url)
        let length = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        let header = try JSONSerialization.jsonObject(with: data.dropFirst(8).prefix(length)) as! [String: Any]
        return header.filter { $0.key != "__metadata__" }.mapValues { entry in
            let entry = entry as! [String: Any], range = entry["data_offsets"] as! [Int]
            return Tensor(
                isFloat: entry["dtype"] as! String == "F32", bytes: data.subdata(in: 8 + length + range[0]..<8 + length + range[1]))
        }
    }

    private static func part(_ name: String, _ tensors: [String: Tensor]) -> [String: [Float]] {
        let prefix = name + "/"
        return Dictionary(
            uniqueKeysWithValues: tensors.filter { $0.key.hasPrefix(prefix) && $0.value.isFloat }.map {
                (String($0.key.dropFirst(prefix.count)), $0.value.floats)
            })
    }

    lazy var weights = Self.part("weights", tensors)
    lazy var gradient = Self.part("gradient", tensors)
    lazy var direction = Self.part("direction", tensors)

    var search: JSONValue { line["search"]! }
    var tried: [(stepSizes: [Double], loss: Double)] {
        line["tried"]!.arrayValue!.map { ($0["step_sizes"]!.arrayValue!.map { $0.doubleValue! }, $0["loss"]!.doubleValue ?? .nan) }
    }

    /// Units by the descriptions of their parts.
    var units: [[String]] { line["units"]!.arrayValue!.map { $0.arrayValue!.map { $0.stringValue! } } }
    func unit(of entry: ParameterLayout.Entry) -> Int? { units.firstIndex { $0.contains(entry.unit.description) } }

    /// Where a step with these step sizes leads, as the float32 arithmetic of the optimizer has it.
    func weights(after stepSizes: [Double], _ layout: ParameterLayout) -> [String: [Float]] {
        var moved = weights
        for entry in layout.entries {
            guard let d = direction[entry.name], let unit = unit(of: entry), stepSizes[unit] != 0 else { continue }
            let rate = Float(stepSizes[unit])
            moved[entry.name] = zip(weights[entry.name]!, d).map { $0 + $1 * rate }
        }
        return moved
    }

    /// The network in double.
    final class Reference {
        let model: SequenceModel<ReferenceBackend<Double>>
        private let batch: PackedBatch
        private let values: UnsafeMutablePointer<Double>, derivative: UnsafeMutablePointer<Double>

        init(_ configuration: EncoderConfiguration, outputs: Int) {
            let head = HeadConfiguration(outputs: outputs, loss: .crossEntropy)
            model = SequenceModel(
                configuration, head, backend: ReferenceBackend<Double>(), tokenCapacity: 1024, sequenceCapacity: 64, trains: true)
            batch = PackedBatch(tokenCapacity: 1024, sequenceCapacity: 64, configuration: configuration, outputs: outputs)
            values = .allocate(capacity: model.layout.count)
            derivative = .allocate(capacity: model.layout.count)
            values.initialize(repeating: 0, count: model.layout.count)
            derivative.initialize(repeating: 0, count: model.layout.count)
        }

        deinit {
            values.deallocate()
            derivative.deallocate()
        }

        /// f at weights + stepSizes·direction, with the masks of the step.
        func loss(_ step: TracedStep, stepSizes: [Double]? = nil) -> Double {
            for entry in model.layout.entries {
                let w = step.weights[entry.name]!
                let rate = stepSizes.flatMap { sizes in step.unit(of: entry).map { sizes[$0] } } ?? 0
                let d = rate == 0 ? nil : step.direction[entry.name]
                for i in 0..<entry.count { values[entry.offset + i] = Double(w[i]) + rate * Double(d?[i] ?? 0) }
            }
            let ids = step.tensors["batch/ids"]!.integers, starts = step.tensors["batch/starts"]!.integers.map { Int($0) }
            let types = step.tensors["batch/types"]!.integers.map { UInt8($0) }, classes = step.tensors["batch/classes"]!.integers
            batch.removeAll()
            for b in 0..<starts.count - 1 {
                let range = starts[b]..<starts[b + 1]
                let row = ids.withUnsafeBufferPointer { ids in
                    types.withUnsafeBufferPointer { types in
                        batch.append(
                            ids: UnsafeBufferPointer(rebasing: ids[range]), types: UnsafeBufferPointer(rebasing: types[range]), example: b)
                    }
                }
                batch.classes[row] = classes[b]
            }
            let d = step.line["dropout"]!
            func rate(_ name: String) -> Float { Float(d[name]!.doubleValue!) }
            let dropout = DropoutRates(
                hidden: rate("hidden"), attention: rate("attention"), classifier: rate("classifier"),
                seed: UInt64(d["seed"]!.integerValue!), step: UInt64(d["step"]!.integerValue!))
            model.forward(UnsafePointer(values), owner: self, batch, dropout: dropout)
            let count = Double(starts.count - 1)
            return model.loss(normalizer: count) / count
        }

        /// −gᵀd of some units at the weights before the step, and f there.
        func slope(_ step: TracedStep, units: Set<Int>) -> (slope: Double, loss: Double) {
            let value = loss(step)
            derivative.update(repeating: 0, count: model.layout.count)
            model.backward(into: derivative)
            var slope = 0.0
            for entry in model.layout.entries {
                guard let unit = step.unit(of: entry), units.contains(unit), let d = step.direction[entry.name] else { continue }
                for i in 0..<entry.count { slope -= derivative[entry.offset + i] * Double(d[i]) }
            }
            return (slope, value)
        }
    }
}
