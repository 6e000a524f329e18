import Tensors
import Testing

@testable import Optimizers

@Suite struct BatchScalingTests {
    private func rate(
        _ values: [String: HyperparameterValue], batch: Int?, step: Int = 0, steps: Int = 10
    ) throws -> Double {
        let fixed: [String: HyperparameterValue] = ["learning_rate": 1e-3, "warmup": 0, "schedule": "constant"]
        let recipe = try CatalogueRow.lamb.resolve(fixed.merging(values) { $1 })
        let search = try #require(recipe.search(steps: steps, batch: batch) as? ScheduledRate)
        return search.schedule.rate(at: step, learningRate: search.learningRate)
    }

    @Test("The factor is the ratio of batches or its root")
    func factors() {
        #expect(BatchScaling.squareRoot.factor(batch: 1024, reference: 256) == 2)
        #expect(BatchScaling.linear.factor(batch: 1024, reference: 256) == 4)
        #expect(BatchScaling.linear.factor(batch: 32, reference: 256) == 0.125)
        for scaling in BatchScaling.allCases { #expect(scaling.factor(batch: 48, reference: 48) == 1) }
    }

    @Test("The learning rate is used as given unless a reference batch is named")
    func off() throws {
        #expect(try rate([:], batch: nil) == 1e-3)
        #expect(try rate([:], batch: 1024) == 1e-3)
        #expect(try rate(["batch_scaling": "sqrt"], batch: 1024) == 1e-3)
        #expect(throws: OptimizerError.self) { try rate(["batch_scaling": "linear"], batch: 1024) }
        #expect(try rate(["reference_batch": 0], batch: 1024) == 1e-3)
        #expect(try rate(["reference_batch": 1024], batch: 1024) == 1e-3)
    }

    @Test("Scaling is by the root by default and linear where asked for")
    func scaled() throws {
        #expect(try rate(["reference_batch": 1024], batch: 64) == 0.25e-3)
        #expect(try rate(["reference_batch": 1024, "batch_scaling": "sqrt"], batch: 64) == 0.25e-3)
        #expect(try rate(["reference_batch": 16.0, "batch_scaling": "linear"], batch: 64) == 4e-3)
    }

    @Test("The whole schedule is scaled, the end of the polynomial included")
    func wholeSchedule() throws {
        let polynomial: [String: HyperparameterValue] = ["schedule": "polynomial", "schedule_end": 2e-4]
        let reference: [String: HyperparameterValue] = ["reference_batch": 1024]
        for step in 0...12 {
            let plain = try rate(polynomial, batch: nil, step: step)
            let scaled = try rate(polynomial.merging(reference) { $1 }, batch: 64, step: step)
            #expect(abs(scaled - plain / 4) <= 1e-18, "\(step)")
        }
    }

    private static let scheduled = Catalogue.names.filter { (try? Catalogue.row(named: $0).resolve([:]).triesSteps) == false }

    @Test("Steps use the scaled rate", arguments: scheduled)
    func steps(_ name: String) throws {
        let recipe = try Catalogue.row(named: name).resolve([
            "learning_rate": 0.5, "warmup": 0, "reference_batch": 8, "batch_scaling": "linear",
        ])
        let optimizer = try recipe.makeOptimizer(layout: ToyLayouts.network, steps: 4, batch: 2)
        #expect(try optimizer.step(Parabola(ToyLayouts.network)).learningRate == 0.125)
    }

    @Test("A rate beyond all numbers stays a number")
    func extreme() throws {
        #expect(try rate(["learning_rate": 1e308, "reference_batch": 1], batch: 10_000) == .greatestFiniteMagnitude)
    }

    @Test(
        "Other values are refused",
        arguments: [("reference_batch", "-1"), ("reference_batch", "2.5"), ("reference_batch", "x"),
            ("reference_batch", "1e30"), ("batch_scaling", "log"), ("batch_scaling", "2")])
    func refused(_ key: String, _ text: String) {
        #expect(throws: OptimizerError.self) { try CatalogueRow.lamb.resolve([key: text.parsed]) }
    }
}
