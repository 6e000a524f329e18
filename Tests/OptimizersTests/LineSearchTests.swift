import Foundation
import Tensors
import Testing

@testable import Optimizers

/// f = Σ ½·L·w², one curvature for each tensor, in double from float32 weights.
final class Bowl: Objective {
    let parameters: Parameters
    let curvatures: [Double]
    /// Called before every forward-only evaluation; may throw.
    var beforeTrial: (Int) throws -> Void = { _ in }
    private(set) var trials = 0
    /// Weights of each forward-only evaluation.
    private(set) var tried: [[UInt32]] = []

    init(_ layout: ParameterLayout, curvatures: [Double], weights: Float = 1) {
        parameters = Parameters(layout: layout)
        parameters.fill(weights)
        self.curvatures = curvatures
    }

    private func value() -> Double {
        zip(parameters.layout.entries, curvatures).reduce(0.0) { sum, pair in
            parameters[pair.0].reduce(sum) { $0 + 0.5 * pair.1 * Double($1) * Double($1) }
        }
    }

    func loss() throws -> Double {
        trials += 1
        try beforeTrial(trials)
        tried.append(parameters.bits)
        return value()
    }

    func lossAndGradient(into gradient: Parameters) throws -> Double {
        for (entry, curvature) in zip(parameters.layout.entries, curvatures) {
            for index in 0..<entry.count { gradient[entry][index] = Float(curvature * Double(parameters[entry][index])) }
        }
        return value()
    }
}

@Suite struct LineSearchTests {
    static let single: ParameterLayout = {
        var layout = ParameterLayout()
        layout.append("w", [1], role: .weight, unit: .head)
        return layout
    }()

    private func rule(
        c: Double = 0.1, backtrack: Double = 0.9, start: Double = 0.1, growth: Double = 2, period: Int = 10,
        trials: Int = 100, shrink: Double = 10, after: Bool = false
    ) -> ArmijoRule {
        ArmijoRule(
            sufficientDecrease: c, backtrack: backtrack, initialStep: start, growth: growth, growthPeriod: period,
            maximumTrials: trials, rejectionShrink: shrink, momentumAfterAcceptance: after)
    }

    private func stepSize(_ optimizer: Optimizer, _ name: String = "search.step_size") -> Double {
        guard case .real(let value)? = optimizer.state.scalars.first(where: { $0.name == name })?.value else { return .nan }
        return value
    }

    private func count(_ optimizer: Optimizer, _ name: String) -> Int {
        guard case .integer(let value)? = optimizer.state.scalars.first(where: { $0.name == "search.\(name)" })?.value
        else { return -1 }
        return value
    }

    @Test("On ½Lw² gradient descent accepts exactly when η ≤ 2(1 − c)/L", arguments: [0.5, 1.0, 4.0])
    func parabola(_ curvature: Double) throws {
        let objective = Bowl(Self.single, curvatures: [curvature])
        let optimizer = try Optimizer([], search: BacktrackingArmijo(rule(start: 10)), layout: Self.single)
        let report = try optimizer.step(objective)
        var expected = 10.0
        while expected > 2 * 0.9 / curvature { expected *= 0.9 }
        #expect(report.learningRate == expected)
        if curvature == 1 { #expect(abs(report.learningRate - 1.668) < 5e-4) }
        #expect(report.trials?.backtracks == objective.trials - 1)
        #expect(report.trials?.slope == curvature * curvature)
        #expect(objective.parameters["w"][0] == 1 - Float(curvature) * Float(expected))
    }

    @Test("The first step of ADAMSLS in one dimension accepts exactly when η ≤ 2(1 − c)|w|", arguments: [Float(0.3), -2, 1])
    func firstAdam(_ weight: Float) throws {
        let objective = Bowl(Self.single, curvatures: [1], weights: weight)
        let optimizer = try CatalogueRow.adamsls.resolve(["initial_step": 10]).makeOptimizer(layout: Self.single, steps: 5)
        let report = try optimizer.step(objective)
        var expected = 10.0
        while expected > 2 * 0.9 * Double(abs(weight)) { expected *= 0.9 }
        #expect(report.learningRate == expected)
        // Σ g²/(√v̂ + ε) is |g| here.
        #expect(abs(try #require(report.trials).slope - Double(abs(weight))) < 1e-6)
    }

    @Test("Without backtracks η doubles over a growth period, up to its maximum")
    func doubling() throws {
        let objective = Bowl(Self.single, curvatures: [1e-3])
        let optimizer = try Optimizer([], search: BacktrackingArmijo(rule(period: 7)), layout: Self.single)
        for _ in 0..<7 { #expect(try optimizer.step(objective).trials?.backtracks == 0) }
        #expect(abs(stepSize(optimizer) - 0.2) < 1e-12)
        for _ in 0..<70 { _ = try optimizer.step(objective) }
        #expect(stepSize(optimizer) == 10)
    }

    @Test("The growth period is the number of batches in an epoch unless it is given")
    func growthPeriod() throws {
        func growth(_ values: [String: HyperparameterValue]) throws -> Double {
            let objective = Bowl(Self.single, curvatures: [1e-3])
            let optimizer = try CatalogueRow.sgdsls.resolve(values)
                .makeOptimizer(layout: Self.single, steps: 100, epochSteps: 4)
            _ = try optimizer.step(objective)
            return stepSize(optimizer) / 0.1
        }
        #expect(abs(try growth([:]) - pow(2, 0.25)) < 1e-12)
        #expect(abs(try growth(["growth_period": 500]) - pow(2, 1.0 / 500)) < 1e-12)
    }

    /// The first searches of two optimizers on the same parabola.
    private func first(_ search: any LineSearch) throws -> (StepReport, [UInt32]) {
        let objective = Parabola(ToyLayouts.network)
        let optimizer = try Optimizer([ScaleByRootMeanSquare()], search: search, layout: ToyLayouts.network)
        return (try optimizer.step(objective), objective.parameters.bits)
    }

    @Test("The first smoothed search is the plain one", arguments: [0.0, 0.9, 0.99])
    func firstSmoothed(_ smoothing: Double) throws {
        let plain = try first(BacktrackingArmijo(rule(c: 0.5, start: 5)))
        let smoothed = try first(
            SmoothedArmijo(rule(c: 0.5, start: 5), smoothing: smoothing, frequency: SearchFrequency()))
        #expect(plain.0.trials?.backtracks ?? 0 > 3)
        #expect(plain.0.learningRate == smoothed.0.learningRate && plain.1 == smoothed.1)
    }

    @Test("Later a smoothed search accepts what the plain one refuses")
    func smoothing() throws {
        let layout = Self.single
        let objective = Given(layout, loss: 1) { $0.fill(1) }
        let search = SmoothedArmijo(
            rule(start: 1, growth: 1), smoothing: 0.9, frequency: SearchFrequency(longest: 1))
        let optimizer = try Optimizer([], search: search, layout: layout)
        objective.trialLoss = 0
        #expect(try optimizer.step(objective).trials?.decrease == 1)
        // h = 0.9·0.1 − 0.1·0.5 = 0.04, s = 0.19: the loss rises, and c·η·s = 0.019 is reached.
        objective.trialLoss = 1.5
        let report = try #require(try optimizer.step(objective).trials)
        #expect(report.decrease == -0.5 && report.backtracks == 0)
        #expect(abs(stepSize(optimizer, "search.smoothed_decrease") - 0.04) < 1e-12)
        #expect(abs(stepSize(optimizer, "search.smoothed_slope") - 0.19) < 1e-12)
    }

    @Test("Searches become rarer as the step size settles")
    func interval() {
        let frequency = SearchFrequency()
        func interval(_ ratio: Double) -> Double {
            // One search: both means are corrected to the value itself.
            frequency.interval(fastMean: 0.1 * ratio, slowMean: 0.01, searches: 1)
        }
        #expect(frequency.interval(fastMean: 0, slowMean: 0, searches: 0) == 1)
        #expect(abs(interval(1) - 10) < 1e-9)
        #expect(interval(1.05) == 10)
        #expect(abs(interval(1.25) - 4) < 1e-9 && abs(interval(0.8) - 4) < 1e-9)
        #expect(interval(2) == 1 && interval(5) == 1 && interval(0.1) == 1)
        #expect(frequency.interval(fastMean: 0, slowMean: 0, searches: 3) == 1)
    }

    @Test("The first ten steps search; then one in ten when η has settled, and a rest grows η without storing it")
    func rests() throws {
        // Growth 1.25 and one backtrack of 0.8 a search: the step size stays where it is.
        let layout = Self.single
        let objective = Given(layout, loss: 1) { $0.fill(1) }
        var calls = 0
        let search = SmoothedArmijo(
            rule(c: 0.5, backtrack: 0.8, start: 1, growth: 1, period: 1), smoothing: 0.9, frequency: SearchFrequency())
        let optimizer = try Optimizer([], search: search, layout: layout)
        objective.trialLoss = -1000
        var searched: [Int] = []
        for step in 1...32 {
            let report = try optimizer.step(objective)
            if report.trials?.isSearched == true { searched.append(step) }
            calls += report.trials?.forwardPasses ?? 0
        }
        #expect(searched == Array(1...10) + [20, 30])
        #expect(calls == 12 && count(optimizer, "forward_passes") == 12)

        let growing = try Optimizer(
            [], search: SmoothedArmijo(
                rule(c: 0.5, start: 1, growth: 1.1, period: 1), smoothing: 0.9,
                frequency: SearchFrequency(longest: 10, always: 1, fast: 0, slow: 0)), layout: layout)
        #expect(try growing.step(objective).learningRate == 1.1)
        for _ in 0..<3 { #expect(abs(try growing.step(objective).learningRate - 1.21) < 1e-12) }
        #expect(stepSize(growing) == 1.1)
    }

    @Test("A step without an accepted trial leaves every bit, shrinks η from before the step, and advances the moments")
    func rejection() throws {
        let layout = ToyLayouts.network
        let objective = Given(layout, loss: 1, weights: 0.1) { $0.fill(1) }
        objective.trialLoss = .nan
        let optimizer = try CatalogueRow.adamsls.resolve(["weight_decay": 0.3, "initial_step": 3, "max_step": 3])
            .makeOptimizer(layout: layout, steps: 10)
        let weights = objective.parameters.bits
        let report = try optimizer.step(objective)
        let trials = try #require(report.trials)
        #expect(objective.parameters.bits == weights)
        #expect(report.learningRate == 0 && trials.isRejected && trials.decrease == nil)
        #expect(trials.backtracks == 100 && trials.forwardPasses == 100)
        #expect(abs(stepSize(optimizer) - 3 * pow(0.9, 10)) < 1e-12)
        #expect(count(optimizer, "rejections") == 1 && optimizer.state.step == 1)
        #expect(abs(Double(optimizer.state.moments[0].values["head.bias"][0]) - 1e-3) < 1e-9)
    }

    @Test("The applied step is the accepted trial, bit for bit; decay comes after it")
    func appliedIsAccepted() throws {
        for decay in [0.0, 0.25] {
            let layout = ToyLayouts.network
            let objective = Bowl(layout, curvatures: layout.entries.indices.map { 1 + Double($0) })
            let optimizer = try CatalogueRow.adamsls.resolve(["weight_decay": .real(decay), "initial_step": 4, "max_step": 4])
                .makeOptimizer(layout: layout, steps: 10)
            for _ in 0..<3 {
                let report = try optimizer.step(objective)
                let trial = Parameters(layout: layout)
                for (index, bits) in objective.tried.last!.enumerated() { trial.pointer[index] = Float(bitPattern: bits) }
                for entry in layout.entries {
                    let keep = Float(1 - report.learningRate * (entry.role.isDecayed ? decay : 0))
                    for (now, tried) in zip(objective.parameters[entry], trial[entry]) { #expect(now == tried * keep) }
                }
            }
            #expect(objective.trials > 6)
        }
    }

    @Test("An error in a trial leaves weights, moments and scalars as they were")
    func interrupted() throws {
        struct Stop: Error {}
        let layout = ToyLayouts.network
        for name in ["adamsls", "plasls", "salsa", "sgdsls", "alsals"] {
            let objective = Bowl(layout, curvatures: layout.entries.indices.map { 1 + Double($0) })
            let optimizer = try Catalogue.row(named: name).resolve(["initial_step": 5]).makeOptimizer(layout: layout, steps: 9)
            for _ in 0..<7 { _ = try optimizer.step(objective) }
            let weights = objective.parameters.bits
            let state = optimizer.state.copy()
            objective.beforeTrial = { _ in throw Stop() }
            #expect(throws: Stop.self) { try optimizer.step(objective) }
            #expect(objective.parameters.bits == weights && optimizer.state.scalars == state.scalars)
            for (now, before) in zip(optimizer.state.moments, state.moments) {
                #expect(now.values.bits == before.values.bits)
            }
        }
    }

    @Test("A direction that ascends because of its momentum gives way to the preconditioned gradient")
    func fallBack() throws {
        let layout = Self.single
        var gradient: Float = 1
        let objective = Given(layout) { $0.fill(gradient) }
        objective.trialLoss = -100
        func descend(_ chain: [any GradientTransformation], _ rule: ArmijoRule) throws -> (StepReport, Float) {
            gradient = 1
            objective.parameters.fill(0)
            let optimizer = try Optimizer(chain, search: BacktrackingArmijo(rule), layout: layout)
            #expect(try optimizer.step(objective).trials?.isFallback == false)
            gradient = -0.1
            objective.parameters.fill(0)
            return (try optimizer.step(objective), objective.parameters["w"][0])
        }
        let one = rule(start: 1, growth: 1)
        let sgd = try descend([AccumulateMomentum(0.9)], one)
        #expect(sgd.0.trials?.isFallback == true && sgd.1 == 0.1)
        #expect(abs(try #require(sgd.0.trials).slope - 0.01) < 1e-9)
        // v̂ is the bias-corrected mean of 1 and 0.01.
        let adam = try descend([ScaleByAdam()], one)
        let root = ((0.999 * 0.001 + 0.001 * 0.01) / (1 - 0.999 * 0.999)).squareRoot()
        #expect(adam.0.trials?.isFallback == true && abs(Double(adam.1) - 0.1 / root) < 1e-6)
        let decayed = try descend([AddDecayedWeights(0.1), AccumulateMomentum(0.9)], one)
        #expect(decayed.0.trials?.isFallback == true && decayed.1 == 0.1)
        // Tested without momentum there is nothing to fall back from; the momentum is in the applied step.
        let after = try descend([AccumulateMomentum(0.9)], rule(start: 1, growth: 1, after: true))
        #expect(after.0.trials?.isFallback == false && abs(after.1 + 0.8) < 1e-6)
        #expect(abs(try #require(after.0.trials).slope - 0.01) < 1e-9)
    }

    @Test("Clipping does not enter a direction that is tried")
    func clipping() throws {
        func step(_ chain: [any GradientTransformation]) throws -> [UInt32] {
            let objective = Parabola(ToyLayouts.network)
            let optimizer = try Optimizer(chain, search: BacktrackingArmijo(rule()), layout: ToyLayouts.network)
            _ = try optimizer.step(objective)
            return objective.parameters.bits
        }
        #expect(try step([ClipByGlobalNorm(1e-3)]) == step([]))
        #expect(try step([ClipByGlobalNorm(1e-3), ScaleByAdam()]) == step([ScaleByAdam()]))
    }

    @Test("A chain that measures in its middle is tried with the same measurement")
    func measuringChain() throws {
        let layout = ToyLayouts.network
        let chain: [any GradientTransformation] = [ScaleByAdam(), AddDecayedWeights(0.1), UnitTensors()]
        let searched = Parabola(layout)
        let optimizer = try Optimizer(chain, search: BacktrackingArmijo(rule(start: 0.02)), layout: layout)
        let scheduled = Parabola(layout)
        var rates: [Double] = []
        for _ in 0..<4 {
            let report = try optimizer.step(searched)
            #expect(report.learningRate > 0 && report.trials?.isFallback == false)
            rates.append(report.learningRate)
        }
        // The same rates without trials: the chain and its moments go the same way.
        let fixed = try Optimizer(chain, search: GivenRates(rates: rates), layout: layout)
        for _ in 0..<4 { _ = try fixed.step(scheduled) }
        for (a, b) in zip(searched.parameters.elements, scheduled.parameters.elements) { #expect(abs(a - b) < 1e-6) }
    }

    /// Takes one rate after the other.
    struct GivenRates: LineSearch {
        static let name = "given"
        let rates: [Double]
        let hyperparameters: [(key: String, value: HyperparameterValue)] = []
        let formula = ["η as given"]
        static func == (lhs: Self, rhs: Self) -> Bool { lhs.rates == rhs.rates }
        func hash(into hasher: inout Hasher) { hasher.combine(rates) }
        func advance(_ descent: Descent, scalars: inout [StateScalar]) throws -> SearchReport {
            descent.take(rates[descent.step])
            return SearchReport(learningRate: rates[descent.step])
        }
    }

    @Test("Layer-wise rates are in the step and in the slope")
    func layerRates() throws {
        let objective = Bowl(Rosenbrock.layout, curvatures: [1, 1])
        let optimizer = try Optimizer(
            [], search: BacktrackingArmijo(rule(start: 0.5, growth: 1)), layout: Rosenbrock.layout,
            rates: UnitRates(layerDecay: 0.5))
        let report = try optimizer.step(objective)
        #expect(report.trials?.slope == 1.5)
        #expect(objective.parameters["x"][0] == 0.75 && objective.parameters["y"][0] == 0.5)
    }

    @Test("All trials of a step see the same masks, and the reported decrease is that of the applied step")
    func sameFunction() throws {
        let objective = MaskedParabola(ToyLayouts.network)
        let optimizer = try CatalogueRow.adamsls.resolve(["initial_step": 2]).makeOptimizer(
            layout: ToyLayouts.network, steps: 10)
        for step in 0..<10 {
            objective.step = step
            let before = try objective.loss()
            let report = try optimizer.step(objective)
            #expect(report.loss == before)
            #expect(try #require(report.trials?.decrease) == before - objective.loss())
            #expect(report.trials.map { $0.decrease! >= 0.1 * report.learningRate * $0.slope - 1e-5 } == true)
        }
    }

    @Test("A loss near zero is accepted within a few units in its last place")
    func tolerance() throws {
        let rule = rule()
        #expect(rule.tolerance(at: 0.7) == 4 * Double(Float(0.7).ulp))
        #expect(rule.tolerance(at: 0) == 4 * Double(Float(1e-6).ulp))
        let objective = Given(Self.single, loss: 0) { $0.fill(1e-9) }
        let optimizer = try Optimizer([], search: BacktrackingArmijo(rule), layout: Self.single)
        #expect(try optimizer.step(objective).trials?.forwardPasses == 1)
    }
}

/// A parabola of which a mask drops half of the elements, another half in each step.
final class MaskedParabola: Objective {
    private let inner: Parabola
    var step = 0
    var parameters: Parameters { inner.parameters }

    init(_ layout: ParameterLayout) { inner = Parabola(layout) }

    private func isKept(_ index: Int, _ key: UInt64) -> Bool {
        CounterRNG.bits(key: key, example: 0, position: 0, feature: Int32(index)) >= 1 << 31
    }

    private func evaluate(_ gradient: Parameters?) -> Double {
        let key = CounterRNG.key(seed: 3, step: UInt64(step), site: 0)
        var total = 0.0
        for entry in parameters.layout.entries {
            for index in 0..<entry.count {
                let kept = isKept(entry.offset + index, key)
                let difference = parameters[entry][index] - inner.centre[entry][index]
                total += kept ? Double(difference) * Double(difference) : 0
                gradient?[entry][index] = kept ? 2 * difference : 0
            }
        }
        return total
    }

    func loss() throws -> Double { evaluate(nil) }
    func lossAndGradient(into gradient: Parameters) throws -> Double { evaluate(gradient) }
}
