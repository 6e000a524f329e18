import CKernels
import Testing
@testable import Tensors
#if canImport(Glibc)
import Glibc
#else
import Foundation
#endif

/// (u, dh) → (h, du).
struct ActivationBackwardCase: OperationCase {
    var activation: Activation, count: Int
    var testDescription: String { "backward of \(activation), \(count) elements" }

    private var inputs: (u: [Float], dh: [Float]) {
        var sample = Sample(count)
        return (sample.normal(count, deviation: 3), sample.normal(count))
    }

    func run<B: Backend>(on backend: B) -> [Output<B.Scalar>] {
        let u = Block<B.Scalar>(inputs.u), dh = Block<B.Scalar>(inputs.dh)
        backend.activationBackward(activation, count: count, uToH: u.pointer, dhToDu: dh.pointer)
        return [Output(name: "h", values: u.values), Output(name: "du", values: dh.values)]
    }

    /// h: u of |x| from ½x·(1 + erf), where 1 + erf rounds at 1. du: some u of the terms of a′, none above 1.13 + |x|.
    func tolerances(exact: [Output<Double>]) -> [[Double]] {
        let (x, dh) = inputs
        return [x.map { 4 * u * abs(Double($0)) }, zip(x, dh).map { 8 * u * (1 + abs(Double($0))) * abs(Double($1)) }]
    }
}

@Suite("Activations")
struct ActivationTests {
    @Test("and their derivatives agree with the reference", arguments: Activation.allCases,
          [0, 1, 3, 15, 16, 17, 1000, 16_383, 16_384, 16_385, 40_000])
    func backward(activation: Activation, count: Int) {
        expectAgreement(ActivationBackwardCase(activation: activation, count: count))
    }

    /// −20 … 20 in steps of 1/1024, and what lies far outside.
    static let grid = (-20 * 1024...20 * 1024).map { Float($0) / 1024 }
        + [-1e30, -1e4, -87, 87, 1e4, 1e30, 1e-30, -1e-30]

    /// The largest |f(x) − exact| / scale(x) over the grid, for the kernel of one instruction set.
    private func worst(
        _ set: CPUBackend.InstructionSet, grid: [Float] = grid, exact: (Double) -> Double, scale: (Double) -> Double,
        kernel: (OpaquePointer, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
    ) throws -> Double {
        let context = try #require(ck_context_create(1, ck_isa(rawValue: set.rawValue)))
        defer { ck_context_destroy(context) }
        let x = Block<Float>(grid), y = Block<Float>(count: grid.count)
        kernel(context, x.pointer, y.pointer)
        keepUntilHere(x)
        return zip(grid, y.values).map { x, y in
            let error = abs(Double(y) - exact(Double(x)))
            return error.isNaN ? .infinity : error == 0 ? 0 : error / scale(Double(x))
        }.max()!
    }

    @Test("lie within 1.1e-7·|x| of the exact gelu and 1e-7·|x| of its tanh form, and relu is exact",
          arguments: CPUBackend.InstructionSet.available)
    func values(set: CPUBackend.InstructionSet) throws {
        let bounds: [(Activation, ck_activation, Double)] =
            [(.gelu, CK_ACT_GELU, 1.1e-7), (.geluTanh, CK_ACT_GELU_TANH, 1e-7), (.relu, CK_ACT_RELU, 0)]
        for (activation, kind, bound) in bounds {
            let error = try worst(set, exact: { activation.value($0) }, scale: { abs($0) }) {
                ck_activate($0, Int64(Self.grid.count), kind, $1, $2)
            }
            #expect(error <= bound, "\(activation)")
        }
    }

    @Test("use an exponential within 1e-7 of the exact one, relatively", arguments: CPUBackend.InstructionSet.available)
    func exponential(set: CPUBackend.InstructionSet) throws {
        let grid = (-87 * 512...88 * 512).map { Float($0) / 512 }
        let error = try worst(set, grid: grid, exact: { exp($0) }, scale: { exp($0) }) {
            ck_exp($0, Int64(grid.count), $1, $2)
        }
        #expect(error <= 1e-7)
    }

    @Test("saturate without overflow: exp(−1e4) is nearly 0 and exp(1e4) finite",
          arguments: CPUBackend.InstructionSet.available)
    func saturation(set: CPUBackend.InstructionSet) throws {
        let context = try #require(ck_context_create(1, ck_isa(rawValue: set.rawValue)))
        defer { ck_context_destroy(context) }
        let x = Block<Float>([-1e4, 1e4, -.infinity]), y = Block<Float>(count: 3)
        ck_exp(context, 3, x.pointer, y.pointer)
        keepUntilHere(x)
        #expect(y.values[0] >= 0 && y.values[0] < 2e-38)
        #expect(y.values[1] > 1e38 && y.values[1].isFinite)
        #expect(y.values[2] >= 0 && y.values[2] < 2e-38)
    }

    @Test("pass a NaN on, as does the exponential", arguments: CPUBackend.InstructionSet.available)
    func notANumber(set: CPUBackend.InstructionSet) throws {
        let context = try #require(ck_context_create(1, ck_isa(rawValue: set.rawValue)))
        defer { ck_context_destroy(context) }
        let values: [Float] = [1, .nan, -1, 2, 3, .nan, 4]
        let x = Block<Float>(values), y = Block<Float>(count: 7)
        for kind in [CK_ACT_GELU, CK_ACT_GELU_TANH, CK_ACT_RELU] {
            ck_activate(context, 7, kind, x.pointer, y.pointer)
            #expect(y.values.map(\.isNaN) == values.map(\.isNaN))
        }
        ck_exp(context, 7, x.pointer, y.pointer)
        #expect(y.values.map(\.isNaN) == values.map(\.isNaN))
        keepUntilHere(x)
        for activation in [Activation.gelu, .geluTanh, .relu] {
            let h = Block<Float>(values), du = Block<Float>([Float](repeating: 1, count: 7))
            CPUBackend(threads: 1, instructionSet: set).activationBackward(activation, count: 7, uToH: h.pointer,
                                                                           dhToDu: du.pointer)
            #expect(h.values.map(\.isNaN) == values.map(\.isNaN), "\(activation)")
        }
    }
}
