import Foundation
import Tensors

@testable import Optimizers

/// The golden files under Fixtures/optimizers; the script beside them says how they were made.
struct RecordedGradients {
    struct Description: Decodable {
        struct Tensor: Decodable {
            let name: String
            let shape: [Int]
            let role: String
            let unit: String
        }
        struct Trajectory: Decodable {
            let name: String
            let optimizer: String
            /// Whose numbers these are.
            let reference: String
            let rates: [Double]
        }
        let steps: Int
        let tensors: [Tensor]
        let gradientNorms: [Double]
        let trajectories: [Trajectory]
    }

    let description: Description
    let layout: ParameterLayout
    let start: [Float]
    let gradients: [[Float]]
    /// Weights after the last step, for each trajectory.
    let ends: [[Float]]
    /// The recipe values of each trajectory.
    let values: [[String: HyperparameterValue]]

    static let folder: URL = {
        var url = URL(fileURLWithPath: #filePath)
        while url.path != "/" {
            url.deleteLastPathComponent()
            let candidate = url.appendingPathComponent("Fixtures/optimizers")
            if FileManager.default.fileExists(atPath: candidate.path) { return candidate }
        }
        preconditionFailure("Fixtures/optimizers is not above \(#filePath)")
    }()

    init() throws {
        let json = try Data(contentsOf: Self.folder.appendingPathComponent("trajectories.json"))
        description = try JSONDecoder().decode(Description.self, from: json)
        values = try Self.recipeValues(json)
        var layout = ParameterLayout()
        for tensor in description.tensors {
            let unit: ParameterUnit =
                switch tensor.unit {
                case "embeddings": .embeddings
                case "head": .head
                default: .block(Int(tensor.unit)!)
                }
            layout.append(tensor.name, tensor.shape, role: ParameterRole(rawValue: tensor.role)!, unit: unit)
        }
        self.layout = layout
        let bytes = try Data(contentsOf: Self.folder.appendingPathComponent("tensors.bin"))
        let floats = bytes.withUnsafeBytes { raw in
            (0..<raw.count / 4).map { Float(bitPattern: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
        }
        let size = layout.parameterCount
        precondition(floats.count == size * (1 + description.steps + description.trajectories.count))
        let rows = (0..<floats.count / size).map { Array(floats[$0 * size..<($0 + 1) * size]) }
        start = rows[0]
        gradients = Array(rows[1...description.steps])
        ends = Array(rows[(description.steps + 1)...])
    }

    private static func recipeValues(_ json: Data) throws -> [[String: HyperparameterValue]] {
        struct Row: Decodable {
            struct Value: Decodable {
                let value: HyperparameterValue
                init(from decoder: any Decoder) throws {
                    let container = try decoder.singleValueContainer()
                    if let flag = try? container.decode(Bool.self) {
                        value = .flag(flag)
                    } else if let number = try? container.decode(Double.self) {
                        value = .real(number)
                    } else if let list = try? container.decode([Double].self) {
                        value = .list(list.map { .real($0) })
                    } else {
                        value = .text(try container.decode(String.self))
                    }
                }
            }
            let values: [String: Value]
        }
        struct Rows: Decodable { let trajectories: [Row] }
        return try JSONDecoder().decode(Rows.self, from: json).trajectories.map { $0.values.mapValues(\.value) }
    }
}

/// Hands out recorded gradients one after the other, whatever the weights are.
final class RecordedObjective: Objective {
    let parameters: Parameters
    private let gradients: [[Float]]
    private(set) var evaluations = 0

    init(layout: ParameterLayout, start: [Float], gradients: [[Float]], from first: Int = 0) {
        parameters = Parameters(layout: layout)
        parameters.load(start)
        self.gradients = gradients
        evaluations = first
    }

    func loss() throws -> Double { 1 }

    func lossAndGradient(into gradient: Parameters) throws -> Double {
        gradient.load(gradients[evaluations])
        evaluations += 1
        return 1
    }
}

extension Parameters {
    /// Fills the tensors from their elements laid end to end, without gaps.
    func load(_ elements: [Float]) {
        var position = 0
        for entry in layout.entries {
            let tensor = self[entry]
            for index in tensor.indices { tensor[index] = elements[position + index] }
            position += entry.count
        }
    }

    /// The elements of all tensors laid end to end, without gaps.
    var elements: [Float] { layout.entries.flatMap { Array(self[$0]) } }

    /// Every element of the flat buffer, gaps included, as bits.
    var bits: [UInt32] { (0..<count).map { pointer[$0].bitPattern } }
}
