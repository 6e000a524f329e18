import Foundation
import Tensors
import Testing

@testable import Optimizers

@Suite struct ScaleByTrustRatioTests {
    private let layout = ToyLayouts.network

    private func optimizer(
        _ chain: [any GradientTransformation], layout: ParameterLayout = ToyLayouts.network,
        rates: UnitRates = UnitRates()
    ) throws -> Optimizer {
        try Optimizer(
            chain, search: ScheduledRate(0.125, schedule: Schedule(.constant, steps: 9)), layout: layout, rates: rates)
    }

    private func norm(_ values: some Sequence<Float>) -> Double {
        values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    }

    @Test("The ratio is ‖x‖/‖u‖, and 1 where a norm is 0 or the ratio no float32")
    func rules() {
        let plain = ScaleByTrustRatio()
        #expect(plain.ratio(weights: 3, direction: 6) == 0.5)
        #expect(plain.ratio(weights: 0, direction: 6) == 1)
        #expect(plain.ratio(weights: 3, direction: 0) == 1)
        #expect(plain.ratio(weights: 0, direction: 0) == 1)
        #expect(plain.ratio(weights: 1e3, direction: 1e-35) == 1e38)
        #expect(plain.ratio(weights: 1e3, direction: 1e-36) == 1)
    }

    @Test("Bounds hold the ratio and leave the exceptions at 1")
    func bounds() {
        let bounded = ScaleByTrustRatio(clip: 2...10)
        #expect(bounded.ratio(weights: 1, direction: 100) == 2)
        #expect(bounded.ratio(weights: 100, direction: 1) == 10)
        #expect(bounded.ratio(weights: 30, direction: 10) == 3)
        #expect(bounded.ratio(weights: 0, direction: 1) == 1)
        #expect(bounded.ratio(weights: 1, direction: 0) == 1)
        #expect(bounded.exemptFactor == 1)
    }

    @Test("A step moves weights by their own norm times both rates, biases and LayerNorm as without the ratio")
    func steps() throws {
        let rates = UnitRates(layerDecay: 0.5)
        let scaled = Parabola(layout)
        let plain = Parabola(layout)
        let start = scaled.parameters.copy()
        _ = try optimizer([ScaleByAdam(), ScaleByTrustRatio()], rates: rates).step(scaled)
        _ = try optimizer([ScaleByAdam()], rates: rates).step(plain)
        for entry in layout.entries {
            guard entry.role.isDecayed else {
                #expect(scaled.parameters[entry].map(\.bitPattern) == plain.parameters[entry].map(\.bitPattern))
                continue
            }
            let multiplier = try #require(rates.multiplier(of: entry.unit, blocks: 3))
            let moved = norm(zip(scaled.parameters[entry], start[entry]).map { $0 - $1 })
            #expect(abs(moved / (0.125 * multiplier * norm(start[entry])) - 1) < 1e-5, "\(entry.name)")
        }
    }

    @Test("A tensor of zeros moves by the rate alone, and a direction of zeros moves nothing")
    func zeroNorms() throws {
        let zeros = Given(layout, weights: 0) { $0.fill(0.5) }
        let report = try optimizer([ScaleByTrustRatio()]).step(zeros)
        #expect(zeros.parameters.elements.allSatisfy { $0 == -0.0625 })
        #expect(report.trustRatios == TrustRatios([1]))
        let still = Given(layout, weights: 2) { $0.fill(0) }
        #expect(try optimizer([ScaleByTrustRatio()]).step(still).trustRatios == TrustRatios([1]))
        #expect(still.parameters.elements.allSatisfy { $0 == 2 })
    }

    @Test("A direction that has all but faded leaves weights and gaps finite")
    func fadedDirection() throws {
        let objective = Given(layout, weights: 1e6) { gradient in
            gradient.fill(0)
            gradient["words"][0] = 2e-38
        }
        _ = try optimizer([ScaleByTrustRatio()]).step(objective)
        #expect(objective.parameters.elements.allSatisfy { $0 == 1e6 })
        #expect((0..<layout.count).allSatisfy { objective.parameters.pointer[$0].isFinite })
    }

    @Test("The report has the ratios of trained weights and embeddings, as they were applied")
    func report() throws {
        let objective = Parabola(layout)
        let gradient = Parameters(layout: layout)
        _ = try objective.lossAndGradient(into: gradient)
        func ratios(_ frozen: Set<ParameterUnit> = []) -> [Double] {
            layout.entries.filter { $0.role.isDecayed && !frozen.contains($0.unit) }
                .map { norm(objective.parameters[$0]) / norm(gradient[$0]) }
        }
        func expect(_ found: TrustRatios?, _ expected: TrustRatios?) throws {
            let found = try #require(found)
            let expected = try #require(expected)
            for (a, b) in [(found.min, expected.min), (found.median, expected.median), (found.max, expected.max)] {
                #expect(abs(a - b) <= 1e-12 * b)
            }
        }
        let all = ratios().sorted()
        #expect(Set(all).count == 5)
        let open = TrustRatios(all)
        #expect(open?.median == all[2] && open?.min == all[0] && open?.max == all[4])
        let frozen = ratios([.embeddings])
        let bounds = all[1] * 1.01...all[3] * 0.99
        let bounded = TrustRatios([bounds.lowerBound, all[2], bounds.upperBound])
        try expect(optimizer([ScaleByTrustRatio()]).step(Parabola(layout)).trustRatios, open)
        try expect(
            optimizer([ScaleByTrustRatio()], rates: UnitRates(frozen: [.embeddings])).step(Parabola(layout)).trustRatios,
            TrustRatios(frozen))
        try expect(optimizer([ScaleByTrustRatio(clip: bounds)]).step(Parabola(layout)).trustRatios, bounded)
    }

    @Test("The median of an even number is the mean of the two in the middle")
    func median() {
        #expect(TrustRatios([4, 1, 3, 10])?.median == 3.5)
        #expect(TrustRatios([]) == nil)
    }

    @Test("Without a trust ratio, or without a tensor that has one, there is nothing to report")
    func noReport() throws {
        #expect(try optimizer([ScaleByAdam()]).step(Parabola(layout)).trustRatios == nil)
        #expect(
            try optimizer([ScaleByTrustRatio()], layout: Rosenbrock.layout).step(Rosenbrock()).trustRatios == nil)
    }

    @Test(
        "Bounds are two ordered numbers above 0, or none",
        arguments: ["0.01", "10,0.01", "0,1", "-1,1", "1,2,3", "low,1", "0.01,inf", "off"])
    func refused(_ text: String) throws {
        #expect(throws: OptimizerError.self) { try CatalogueRow.lamb.resolve(["trust_clip": text.parsed]) }
    }

    @Test("Bounds of the recipe reach the chain")
    func accepted() throws {
        #expect(try CatalogueRow.lamb.resolve(["trust_clip": "0.01,10".parsed]).values["trust_clip"] == [0.01, 10.0])
        let recipe = try CatalogueRow.lamb.resolve(["trust_clip": "[1, 1]".parsed])
        #expect(recipe.transformations.last as? ScaleByTrustRatio == ScaleByTrustRatio(clip: 1...1))
    }
}
