import Foundation
import Tensors
import Testing

@testable import Optimizers

@Suite struct DormantRowsTests {
    static let rows = 700, width = 48
    static let layout: ParameterLayout = {
        var layout = ParameterLayout()
        layout.append("before", [33], role: .bias, unit: .embeddings)
        layout.append("words", [rows, width], role: .embedding, unit: .embeddings)
        layout.append("after", [40, 40], role: .weight, unit: .head)
        return layout
    }()
    /// Rows with a gradient: single ones, runs, pieces of the table that have none, and the last.
    static let used = (0..<Int32(rows)).filter { $0 % 7 == 3 || (100..<160).contains($0) || $0 == Int32(rows - 1) }
        .filter { !(300..<420).contains($0) }

    /// Random gradients, the same for the same step, zero in dormant rows.
    private final class Sparse: Objective {
        let parameters = Parameters(layout: DormantRowsTests.layout)
        private var random = SplitMix(state: 5)

        init() {
            for entry in parameters.layout.entries {
                // Some are too small for a normal number, as the passes flush them.
                for i in 0..<entry.count { parameters[entry][i] = random.symmetric() * (i % 11 == 0 ? 1e-38 : 1) }
            }
        }

        func loss() throws -> Double { 1 }

        func lossAndGradient(into gradient: Parameters) throws -> Double {
            for name in ["before", "after"] { for i in gradient[name].indices { gradient[name][i] = random.symmetric() } }
            for row in DormantRowsTests.used {
                for i in 0..<DormantRowsTests.width { gradient["words"][Int(row) * DormantRowsTests.width + i] = random.symmetric() }
            }
            return 1
        }
    }

    private static let dormant = DormantRows(tensor: "words", count: rows, used: used)

    private static func optimizer(_ recipe: String, _ constants: [String: HyperparameterValue] = [:], dormant: DormantRows?) throws -> Optimizer {
        try Catalogue.row(named: recipe).resolve(constants).makeOptimizer(layout: layout, steps: 40, dormant: dormant)
    }

    @Test("The rest of a table is dormant, in ranges without neighbours")
    func ranges() {
        #expect(DormantRows(tensor: "t", count: 6, used: [4, 1, 1]).rows == [0..<1, 2..<4, 5..<6])
        #expect(DormantRows(tensor: "t", count: 2, used: [0, 1]).rows.isEmpty)
        #expect(DormantRows(tensor: "t", count: 2, used: []).rows == [0..<2])
        #expect(DormantRows(tensor: "t", count: 3, used: [1]).liveElements(width: 4, count: 12) == [4..<8])
    }

    @Test("Ranges without others keep what lies between and around them, and clear it")
    func subtracting() {
        func cleared(_ ranges: [Range<Int>], without others: [Range<Int>]) -> [Int] {
            let values = Parameters(layout: Self.layout)
            for i in 0..<values.count { values.pointer[i] = 1 }
            ElementRanges(ranges).subtracting(others).clear(values) { count, body in (0..<count).forEach(body) }
            return (0..<values.count).filter { values.pointer[$0] == 0 }
        }
        #expect(cleared([2..<20], without: []) == Array(2..<20))
        #expect(cleared([2..<20], without: [2..<5, 9..<10, 18..<20]) == Array(5..<9) + Array(10..<18))
        #expect(cleared([2..<6, 8..<12, 14..<16], without: [0..<3, 5..<9, 11..<30]) == [3, 4, 9, 10])
        #expect(cleared([2..<6, 8..<12], without: [0..<40]) == [])
        #expect(cleared([5..<8], without: [1..<2, 2..<4, 8..<9]) == [5, 6, 7])
        let whole = 0..<Self.layout.count
        #expect(cleared([whole], without: [100..<200, 30_000..<30_001]) == whole.filter { !(100..<200).contains($0) && $0 != 30_000 })
    }

    @Test("Left out of the passes, they come out bit for bit as inside them, and so does all else",
          arguments: ["adamw", "sgd", "lamb", "lars"])
    func sameBits(_ recipe: String) throws {
        let (whole, sparse) = (Sparse(), Sparse())
        let constants: [String: HyperparameterValue] = ["weight_decay": 0.1, "learning_rate": 0.01, "max_grad_norm": 0.5]
        let reference = try Self.optimizer(recipe, constants, dormant: nil)
        let optimizer = try Self.optimizer(recipe, constants, dormant: Self.dormant)
        for step in 1...30 {
            let (a, b) = (try reference.step(whole), try optimizer.step(sparse))
            #expect(a == b)
            if step % 8 == 0 {
                optimizer.settle(sparse.parameters)
                #expect(whole.parameters.bits == sparse.parameters.bits)
            }
        }
        optimizer.settle(sparse.parameters)
        #expect(whole.parameters.bits == sparse.parameters.bits)
        for (a, b) in zip(reference.state.moments, optimizer.state.moments) { #expect(a.values.bits == b.values.bits) }
    }

    @Test("Only a chain that decays them and nothing else leaves them out")
    func chains() throws {
        for (recipe, leavesOut) in [("adamw", true), ("lamb", false), ("lars", false), ("adamsls", false)] {
            let (optimizer, objective) = (try Self.optimizer(recipe, dormant: Self.dormant), Sparse())
            let before = objective.parameters["words"][0]
            let cleared = Parameters(layout: Self.layout)
            cleared.fill(1)
            optimizer.gradientElements.clear(cleared, parallel: serially)
            #expect(cleared["words"][0] == (leavesOut ? 1 : 0), "\(recipe)")
            #expect(cleared["words"][Int(Self.used[0]) * Self.width] == 0)
            #expect(cleared["after"].allSatisfy { $0 == 0 } && cleared["before"].allSatisfy { $0 == 0 })
            if leavesOut {
                _ = try optimizer.step(objective)
                _ = try optimizer.step(objective)
                #expect(objective.parameters["words"][0] == before)
            }
        }
    }

    @Test("A state in which they move keeps them in the passes")
    func wake() throws {
        let (whole, sparse) = (Sparse(), Sparse())
        let reference = try Self.optimizer("adamw", dormant: nil), optimizer = try Self.optimizer("adamw", dormant: Self.dormant)
        let moving = reference.state.copy()
        for moment in moving.moments { moment.values["words"][350 * Self.width] = 0.25 }
        try reference.restore(from: moving)
        try optimizer.restore(from: moving)
        for _ in 0..<5 { #expect(try reference.step(whole) == optimizer.step(sparse)) }
        #expect(whole.parameters.bits == sparse.parameters.bits)
    }
}
