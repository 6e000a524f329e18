import Foundation
import Tensors

@testable import Optimizers

/// Fixtures/optimizers/searches.json; the script beside it says how it was made.
struct RecordedSearches: Decodable {
    struct Rows: Decodable {
        let loss: [Double]
        let slope: [Double]
        let decrease: [Double?]
        /// Of the steps that have one.
        let after: [Double]
        let rates: [Double]
        let stepSizes: [[Double]]
        let backtracks: [Int]
        let passes: [Int]
        let unit: [Int?]
        let fallbacks: [Int]
        let rests: [Int]
    }
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
    struct Case: Decodable {
        let name: String
        let optimizer: String
        let values: [String: Value]
        let rows: Rows
        let start: [Double]
        let end: [Double]
        /// Name of each unit's group after the last step.
        let groups: [Int]
    }

    let epochSteps: Int
    let batch: Int
    /// Steps on one batch before the next one comes.
    let turn: Int
    let tensors: [RecordedGradients.Description.Tensor]
    let ids: [[Int]]
    let labels: [Int]
    let cases: [Case]

    static let recorded: RecordedSearches = {
        do {
            let data = try Data(contentsOf: RecordedGradients.folder.appendingPathComponent("searches.json"))
            return try JSONDecoder().decode(Self.self, from: data)
        } catch { preconditionFailure("searches.json: \(error)") }
    }()

    var layout: ParameterLayout {
        var layout = ParameterLayout()
        for tensor in tensors {
            let unit: ParameterUnit =
                switch tensor.unit {
                case "embeddings": .embeddings
                case "head": .head
                default: .block(Int(tensor.unit)!)
                }
            layout.append(tensor.name, tensor.shape, role: ParameterRole(rawValue: tensor.role)!, unit: unit)
        }
        return layout
    }

    func network(_ recorded: Case) -> ResidualNetwork {
        ResidualNetwork(
            layout: layout, start: recorded.start.map { Float($0) }, ids: ids, labels: labels, batch: batch)
    }

    func optimizer(_ recorded: Case) throws -> Optimizer {
        try Catalogue.row(named: recorded.optimizer).resolve(recorded.values.mapValues(\.value))
            .makeOptimizer(layout: layout, steps: recorded.rows.loss.count, epochSteps: epochSteps)
    }
}
