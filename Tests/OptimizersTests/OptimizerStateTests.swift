import Tensors
import Testing

@testable import Optimizers

@Suite struct OptimizerStateTests {
    private func optimizer(_ name: String = "adamw", freeze: HyperparameterValue = []) throws -> Optimizer {
        try Catalogue.row(named: name).resolve(["freeze": freeze]).makeOptimizer(layout: ToyLayouts.network, steps: 10)
    }

    private func layouts(_ optimizer: Optimizer) -> [String: ParameterLayout] {
        Dictionary(uniqueKeysWithValues: optimizer.state.moments.map { ($0.name, $0.values.layout) })
    }

    @Test("All state exists before the first step, zero and named after its transformation")
    func upFront() throws {
        let state = try optimizer().state
        #expect(state.moments.map(\.name) == ["adam.first", "adam.second"])
        #expect(state.scalars == [StateScalar(name: "step", value: .integer(0))])
        #expect(state.moments.allSatisfy { $0.values.elements.allSatisfy { $0 == 0 } })
        #expect(try optimizer("sgd").state.moments.map(\.name) == ["momentum.velocity"])
    }

    @Test("A checkpoint without one of the moments is refused, and nothing is read")
    func missingMoment() throws {
        let optimizer = try optimizer()
        var layouts = layouts(optimizer)
        layouts["adam.second"] = nil
        #expect(throws: OptimizerError.stateMissing(name: "adam.second", found: ["adam.first"])) {
            try optimizer.restore(scalars: optimizer.state.scalars, layouts: layouts) { name, _ in
                Issue.record("\(name) was read")
            }
        }
    }

    @Test("A checkpoint of another optimizer is refused")
    func otherOptimizer() throws {
        let momentum = try optimizer("sgd").state
        #expect(
            throws: OptimizerError.stateUnexpected(
                name: "momentum.velocity", expected: ["adam.first", "adam.second"])
        ) { try optimizer().restore(from: momentum) }
    }

    @Test("A checkpoint without the step, with a scalar too many, or with one of another kind is refused")
    func scalars() throws {
        let optimizer = try optimizer()
        let layouts = layouts(optimizer)
        func restore(_ scalars: [StateScalar]) throws {
            try optimizer.restore(scalars: scalars, layouts: layouts) { _, _ in }
        }
        #expect(throws: OptimizerError.stateMissing(name: "step", found: [])) { try restore([]) }
        let step = StateScalar(name: "step", value: .integer(3))
        #expect(throws: OptimizerError.stateUnexpected(name: "eta", expected: ["step"])) {
            try restore([step, StateScalar(name: "eta", value: .real(1))])
        }
        #expect(
            throws: OptimizerError.stateOfWrongKind(name: "step", expected: "an integer", found: "a real number")
        ) { try restore([StateScalar(name: "step", value: .real(3))]) }
        #expect(throws: OptimizerError.self) { try restore([StateScalar(name: "step", value: .integer(-1))]) }
        #expect(optimizer.state.step == 0)
        try restore([step])
        #expect(optimizer.state.step == 3)
    }

    @Test("A moment with another shape, a tensor too few or a tensor too many is refused")
    func misshapen() throws {
        let optimizer = try optimizer()
        func refused(_ change: (inout [ParameterLayout.Entry]) -> Void) -> OptimizerError? {
            var entries = ToyLayouts.network.entries
            change(&entries)
            var layout = ParameterLayout()
            for entry in entries { layout.append(entry.name, entry.shape, role: entry.role, unit: entry.unit) }
            var layouts = layouts(optimizer)
            layouts["adam.second"] = layout
            do {
                try optimizer.restore(scalars: optimizer.state.scalars, layouts: layouts) { name, _ in
                    Issue.record("\(name) was read")
                }
            } catch let error as OptimizerError { return error } catch { Issue.record(error) }
            return nil
        }
        #expect(
            refused { $0.removeLast() }
                == .stateMisshapen(
                    moment: "adam.second", tensor: "head.bias", expected: "head.bias [2]", found: "no tensor"))
        var wider = ParameterLayout()
        wider.append("head.bias", [3], role: .bias, unit: .head)
        #expect(
            refused { $0[$0.count - 1] = wider.entries[0] }
                == .stateMisshapen(
                    moment: "adam.second", tensor: "head.bias", expected: "head.bias [2]", found: "head.bias [3]"))
        wider.append("more", [1], role: .bias, unit: .head)
        #expect(
            refused { $0.append(wider.entries[1]) }
                == .stateMisshapen(
                    moment: "adam.second", tensor: "more", expected: "no tensor", found: "more [1]"))
    }

    @Test("The state of a run with frozen units does not fit one without")
    func otherFreeze() throws {
        let frozen = try optimizer(freeze: ["embeddings"]).state
        #expect(throws: OptimizerError.self) { try optimizer().restore(from: frozen) }
    }

    @Test("Moments are read in place, once each")
    func readInPlace() throws {
        let optimizer = try optimizer()
        var read: [String] = []
        try optimizer.restore(scalars: optimizer.state.scalars, layouts: layouts(optimizer)) { name, values in
            read.append(name)
            values.fill(2)
        }
        #expect(read == ["adam.first", "adam.second"])
        #expect(optimizer.state.moments[1].values["head.bias"][1] == 2)
    }

    @Test("The bytes of the state are those of its moments")
    func bytes() throws {
        #expect(try optimizer().state.byteCount == 2 * ToyLayouts.network.count * 4)
    }
}
