import Foundation
import Models
import Optimizers
import Store
import Tensors
import Testing

@testable import Pipeline

/// Steps of seeded runs computed again in double from what `AdaptStage.trace` wrote, dropout included.
@Suite struct StepTraceTests {
    /// A run of the tiny model with a trace, and what is in it.
    private struct Traced {
        let toy: ToyStore
        let folder: URL
        let steps: [TracedStep]
        let recipe: Recipe
        let reference: TracedStep.Reference
        let finished: ToyAdaptation.Finished

        init(_ changes: [String: HyperparameterValue]) throws {
            toy = try ToyStore.ready()
            let folder = toy.scratch.url.appendingPathComponent("trace")
            var run = ToyAdaptation(["steps": 20, "evaluate": "never", "batch_size": 8].merging(changes) { $1 })
            run.configure = { $0.trace = folder }
            self.folder = folder
            finished = try run.run(toy)
            recipe = try Recipe(run.recipe)
            steps = try TracedStep.lines(folder).map { try TracedStep(folder, $0) }
            let tiny = try StoredModel.find("tiny", in: toy.store)
            reference = TracedStep.Reference(tiny.description.configuration, outputs: 2)
        }

        func constant(_ name: String) -> Double { recipe.optimizer.values[name]!.number! }

        func weights(after index: Int) throws -> [String: [Float]] {
            index + 1 < steps.count ? steps[index + 1].weights : try TracedStep.endWeights(folder)
        }
    }

    private func tolerance(_ traced: Traced, at loss: Double) -> Double {
        traced.constant("search_tolerance") * Double(Float(max(abs(loss), 1e-6)).ulp)
    }

    @Test(arguments: ["sgdsls", "adamsls", "plasls", "plasls whole", "alsals", "salsa"])
    func `every accepted trial satisfies its inequality when it is computed again in double`(optimizer: String) throws {
        let traced = try Traced(
            optimizer == "plasls whole" ? ["optimizer": "plasls", "whole_move": "search", "joint_steps": 2] : ["optimizer": .text(optimizer)])
        #expect(traced.steps.count == 20)
        let smoothing = traced.recipe.optimizer.values["search_smoothing"]?.number
        var h = 0.0, s = 0.0, accepted = 0
        for (index, step) in traced.steps.enumerated() {
            let place = "\(optimizer), step \(index + 1)"
            let units = step.search["unit"]?.integerValue.map { [Int($0)] } ?? Array(step.units.indices)
            let (slope, before) = traced.reference.slope(step, units: Set(units))
            #expect(abs(step.line["loss"]!.doubleValue! - before) <= 1e-5 * before, "\(place)")
            #expect(abs(step.search["slope"]!.doubleValue! - slope) <= 1e-4 * abs(slope), "\(place): slope \(slope)")
            var applied = [Double](repeating: 0, count: step.units.count)
            if step.search["searched"] == false {
                applied = applied.map { _ in step.line["learning_rate"]!.doubleValue! }
            } else if step.search["rejected"] == false {
                accepted += 1
                if optimizer == "plasls whole", index >= 2 {
                    // The whole move is the last that was tried, with the slopes of all units on the right.
                    let move = step.tried.last!, after = traced.reference.loss(step, stepSizes: move.stepSizes)
                    let predicted = step.units.indices.reduce(0.0) { $0 + move.stepSizes[$1] * max(0, traced.reference.slope(step, units: [$1]).slope) }
                    #expect(abs(move.loss - after) <= 1e-5 * after && move.loss == step.search["loss_after"]?.doubleValue, "\(place)")
                    #expect(before - after >= traced.constant("armijo_c") * predicted - tolerance(traced, at: before) && predicted > 0, "\(place)")
                    #expect(try step.weights(after: move.stepSizes, traced.reference.model.layout) == traced.weights(after: index), "\(place)")
                    continue
                }
                let trial = step.tried[Int(step.search["backtracks"]!.integerValue!)]
                #expect(units.allSatisfy { trial.stepSizes[$0] > 0 } && trial.stepSizes.filter { $0 > 0 }.count == units.count)
                let after = traced.reference.loss(step, stepSizes: trial.stepSizes)
                #expect(abs(trial.loss - after) <= 1e-5 * after, "\(place): \(trial.loss) and \(after)")
                let share = smoothing.map { 1 - $0 } ?? 1
                h = (1 - share) * h + share * (before - after)
                s = (1 - share) * s + share * max(0, slope)
                let needed = traced.constant("armijo_c") * trial.stepSizes[units[0]] * s
                #expect(h >= needed - share * tolerance(traced, at: before), "\(place): \(h) is less than \(needed)")
                applied = step.tried.last!.stepSizes
                if let moved = step.search["loss_after"]?.doubleValue {
                    let again = traced.reference.loss(step, stepSizes: applied)
                    #expect(abs(moved - again) <= 1e-5 * again, "\(place): \(moved) and \(again)")
                }
            }
            #expect(try step.weights(after: applied, traced.reference.model.layout) == traced.weights(after: index), "\(place)")
        }
        #expect(accepted >= 5)
    }

    @Test func `a rejected step leaves the weights bit for bit`() throws {
        let traced = try Traced(["optimizer": "adamsls", "armijo_c": 0.9, "max_trials": 2, "initial_step": 10])
        var rejected = 0
        for (index, step) in traced.steps.enumerated() where step.search["rejected"] == true {
            rejected += 1
            #expect(step.tried.count == 2)
            let after = try traced.weights(after: index)
            for (name, values) in step.weights { #expect(values.map(\.bitPattern) == after[name]!.map(\.bitPattern), "\(name)") }
        }
        #expect(rejected >= 3 && rejected < 20, "\(rejected) rejected")
    }

    @Test func `a trace changes nothing in the run`() throws {
        for optimizer in ["lamb", "plasls"] {
            let traced = try Traced(["optimizer": .text(optimizer), "objective": "scala", "noise_delay": 0])
            let plain = ToyAdaptation([
                "steps": 20, "evaluate": "never", "batch_size": 8, "optimizer": .text(optimizer), "objective": "scala", "noise_delay": 0,
            ])
            #expect(try plain.run(ToyStore.ready()).trace == traced.finished.trace)
            #expect(traced.steps[0].direction.isEmpty == (optimizer == "lamb"))
            #expect(traced.steps[0].gradient.count == traced.steps[0].weights.count)
        }
    }

    @Test func `a trace needs an empty folder and a run that is not finished`() throws {
        let toy = try ToyStore.ready(), folder = toy.scratch.url.appendingPathComponent("trace")
        var run = ToyAdaptation(["steps": 1])
        run.configure = { $0.trace = folder }
        _ = try run.run(toy)
        let finished = try #require(try error(PipelineError.self) { try run.run(toy) })
        #expect(finished.code == .usage)
        (run.seed, run.name) = (8, "other")
        let occupied = try #require(try error(FormatError.self) { try run.run(toy) })
        #expect(occupied.description.contains("not empty"))
    }
}
