import Testing

@testable import Optimizers

@Suite struct ReferenceTrajectoryTests {
    let recorded: RecordedGradients
    init() throws { recorded = try RecordedGradients() }

    @Test("50 recorded gradients lead where the reference goes, per tensor to rounding", arguments: 0..<17)
    func equalsReference(_ index: Int) throws {
        let trajectory = recorded.description.trajectories[index]
        let recipe = try Catalogue.row(named: trajectory.optimizer).resolve(recorded.values[index])
        let optimizer = try recipe.makeOptimizer(layout: recorded.layout, steps: recorded.description.steps)
        let objective = RecordedObjective(
            layout: recorded.layout, start: recorded.start, gradients: recorded.gradients)
        for step in 0..<recorded.description.steps {
            let report = try optimizer.step(objective)
            #expect(report.learningRate == trajectory.rates[step])
            #expect(report.step == step + 1)
            #expect((report.trustRatios != nil) == ["lamb", "lars"].contains(trajectory.optimizer))
            let norm = recorded.description.gradientNorms[step]
            #expect(abs(report.gradientNorm - norm) <= 1e-12 * norm)
        }
        // The references in float32 round like this module; the one in float64 does not.
        let (ofSize, ofWay) = trajectory.reference == "layerwise.py" ? (5e-7, 5e-4) : (1e-7, 2e-4)
        let end = objective.parameters.elements
        var position = 0
        for entry in recorded.layout.entries {
            let range = position..<position + entry.count
            position = range.upperBound
            let error = distance(end[range], recorded.ends[index][range])
            let size = distance(recorded.ends[index][range], nil)
            let travelled = distance(recorded.ends[index][range], recorded.start[range])
            #expect(travelled > 0, "\(entry.name) has to move")
            #expect(error <= ofSize * size, "\(trajectory.name), \(entry.name): \(error / size)")
            // A tensor that hardly moves has to move right as well.
            #expect(error <= ofWay * travelled, "\(trajectory.name), \(entry.name): \(error / travelled)")
        }
    }

    @Test("The goldens cover every optimizer of the catalogue that follows a schedule")
    func coverage() throws {
        let scheduled = try Catalogue.rows.filter { try $0.resolve([:]).searchKind == .schedule }.map(\.name)
        #expect(Set(recorded.description.trajectories.map(\.optimizer)) == Set(scheduled))
        #expect(recorded.description.trajectories.count == 17)
        #expect(Set(recorded.description.trajectories.map(\.reference)) == ["torch.optim", "timm", "layerwise.py"])
    }

    private func distance(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>?) -> Double {
        zip(a, b.map(Array.init) ?? Array(repeating: 0, count: a.count))
            .reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }.squareRoot()
    }
}
