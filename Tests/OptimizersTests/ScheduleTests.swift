import Foundation
import Testing

@testable import Optimizers

@Suite struct ScheduleTests {
    struct Goldens: Decodable {
        struct Row: Decodable, CustomStringConvertible {
            let shape: String
            let steps: Int
            let warmup: Int
            let rates: [Double]
            let learningRate: Double
            let end: Double?
            let power: Double?
            var description: String { "\(shape), \(steps) steps, warm-up \(warmup)" }
        }
        struct Share: Decodable {
            let share: Double
            let steps: Int
            let warmup: Int
        }
        let schedules: [Row]
        let shares: [Share]

        static func load() throws -> Goldens {
            let url = RecordedGradients.folder.appendingPathComponent("schedules.json")
            return try JSONDecoder().decode(Goldens.self, from: Data(contentsOf: url))
        }
    }

    @Test("Every rate of every schedule equals the one of transformers exactly")
    func equalsTransformers() throws {
        let goldens = try Goldens.load()
        #expect(Set(goldens.schedules.map(\.shape)) == Set(Schedule.names))
        for row in goldens.schedules {
            let shape: Schedule.Shape =
                switch row.shape {
                case "constant": .constant
                case "linear": .linear
                case "cosine": .cosine
                case "polynomial": .polynomial(power: try #require(row.power), end: try #require(row.end))
                default: .inverseSquareRoot
                }
            let schedule = Schedule(shape, steps: row.steps, warmup: .steps(row.warmup))
            #expect(schedule.name == row.shape)
            for (step, rate) in row.rates.enumerated() {
                #expect(
                    schedule.rate(at: step, learningRate: row.learningRate) == rate, "\(row), step \(step)")
            }
        }
    }

    @Test("A share of the steps is truncated as int(share * steps)")
    func shares() throws {
        for row in try Goldens.load().shares {
            #expect(Schedule(.linear, steps: row.steps, warmup: .share(row.share)).warmup == row.warmup)
        }
        #expect(Schedule(.linear, steps: 345, warmup: .share(0.1)).warmup == 34)
    }

    @Test("A warm-up that ends with the last step leaves the polynomial at its end rate")
    func polynomialWithoutDecay() {
        let schedule = Schedule(.polynomial(power: 2, end: 1e-6), steps: 4, warmup: .steps(4))
        #expect(schedule.rate(at: 4, learningRate: 1e-3) == 1e-6)
    }
}
