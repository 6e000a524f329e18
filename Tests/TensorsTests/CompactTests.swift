import Testing
@testable import Tensors

/// Arrays of bfloat16 in memory give the bits that arrays of float32 give which are rounded before and after.
@Suite("Elements of bfloat16 in memory")
struct CompactTests {
    static let sets = CPUBackend.InstructionSet.availableForBF16.filter(\.multipliesBF16)

    private func expectSameBits(_ operation: some OperationCase, set: CPUBackend.InstructionSet,
                                mixture: CompactBackend.Mixture = CompactBackend.Mixture(a: true, b: true, c: true),
                                sourceLocation: SourceLocation = #_sourceLocation) {
        func run(isTwin: Bool) -> [Output<Float>] {
            operation.run(on: CompactBackend(CPUBackend(threads: 2, instructionSet: set, precision: .bf16), isTwin: isTwin, mixture: mixture))
        }
        for (compact, twin) in zip(run(isTwin: false), run(isTwin: true)) {
            let difference = firstDifference(compact.values, twin.values)
            #expect(difference == nil, "\(operation.testDescription), \(mixture.testDescription), \(compact.name)", sourceLocation: sourceLocation)
        }
    }

    @Test("in products, in every mixture, at the edges of blocks, with every end", arguments: sets, CompactBackend.Mixture.allCases)
    func products(set: CPUBackend.InstructionSet, mixture: CompactBackend.Mixture) {
        for (index, option) in ProductTests.options.enumerated() {
            for size in 0..<3 {
                let m = BF16ProductTests.edges[(index * 3 + size) % 11], n = BF16ProductTests.edges[(index * 5 + 2 * size + 1) % 11]
                let product = ProductCase(m: m, n: n, k: [1, 17, 32, 33, 66][(index + size) % 5], transposesA: option.0, transposesB: option.1,
                                          accumulates: option.2, hasBias: option.3, activation: option.4, padding: index % 3)
                expectSameBits(product, set: set, mixture: mixture)
            }
        }
    }

    @Test("in products over many tiles and in one sum however deep", arguments: sets)
    func tiles(set: CPUBackend.InstructionSet) {
        expectSameBits(ProductCase(m: 300, n: 800, k: 96, transposesB: true, hasBias: true, activation: .gelu), set: set)
        expectSameBits(ProductCase(m: 130, n: 130, k: 301, transposesA: true, accumulates: true), set: set)
        expectSameBits(ProductCase(m: 5, n: 9, k: 0, hasBias: true, activation: .relu, padding: 2), set: set)
        // Deeper than what products that end as float32 pack at once: their sums go through memory, these do not, in the same order.
        expectSameBits(ProductCase(m: 17, n: 40, k: 4200, transposesB: true, hasBias: true), set: set)
    }

    @Test("in an activation's backward at the end of a product", arguments: sets)
    func activationBackward(set: CPUBackend.InstructionSet) {
        for activation in [Activation.gelu, .geluTanh, .relu] {
            expectSameBits(ProductBackwardCase(m: 31, n: 70, k: 48, activation: activation), set: set)
        }
    }

    @Test("in attention", arguments: sets)
    func attention(set: CPUBackend.InstructionSet) {
        for (H, D) in AttentionTests.heads {
            for lengths in AttentionTests.mixed {
                expectSameBits(AttentionCase(H: H, D: D, lengths: lengths, probability: 0.1, precision: .bf16), set: set)
            }
        }
    }

    @Test("whatever an earlier operation left in the scratch memory", arguments: sets)
    func scratch(set: CPUBackend.InstructionSet) {
        let fresh = CPUBackend(threads: 1, instructionSet: set, precision: .bf16), used = CPUBackend(threads: 1, instructionSet: set, precision: .bf16)
        let nan = AttentionCase(H: 3, D: 64, lengths: [130, 40])
        let count = nan.T * nan.C
        _ = nan.run(on: CompactBackend(used, isTwin: false), qkv: [Float](repeating: .nan, count: 3 * count),
                    dContext: [Float](repeating: .nan, count: count))
        let attention = AttentionCase(H: 2, D: 10, lengths: [33, 1, 130], probability: 0.1, precision: .bf16)
        let product = ProductCase(m: 35, n: 37, k: 33, transposesB: true, hasBias: true, activation: .gelu)
        for operation in [attention, product] as [any OperationCase] {
            let one = operation.run(on: CompactBackend(fresh, isTwin: false)), other = operation.run(on: CompactBackend(used, isTwin: false))
            for (one, other) in zip(one, other) {
                let difference = firstDifference(one.values, other.values)
                #expect(difference == nil, "\(operation.testDescription), \(one.name)")
            }
        }
    }

    @Test("in the gradient of a branch and in sums of columns, on every set", arguments: CPUBackend.InstructionSet.availableForBF16)
    func rows(set: CPUBackend.InstructionSet) {
        for C in [1, 15, 16, 47, 384] {
            expectSameBits(ResidualNormBackwardCase(T: 37, C: C, probability: 0.1), set: set)
            expectSameBits(ColumnSumCase(rows: 300, columns: C, padding: 3), set: set)
        }
    }
}

/// dx = (dy·w)·activation′(u), h = activation(u).
private struct ProductBackwardCase: OperationCase {
    var m: Int, n: Int, k: Int
    var activation: Activation
    var testDescription: String { "\(m)×\(k)·\(k)×\(n), backward of \(activation)" }

    func run<B: Backend>(on backend: B) -> [Output<B.Scalar>] {
        var sample = Sample(m, n, k)
        let dy = Block<B.Scalar>(sample.normal(m * k)), w = Block<B.Scalar>(sample.normal(k * n)), dx = Block<B.Scalar>(count: m * n)
        let u = Block<B.Scalar>(sample.normal(m * n, deviation: 2))
        var product = Product<B.Scalar>.linearInputGradient(rows: m, inputs: n, outputs: k, dy: dy.elements, weight: w.pointer,
                                                            dx: dx.elements, accumulates: false)
        product.activation = activation
        product.uToH = u.elements
        backend.multiply(product)
        keepUntilHere(dy, w)
        return [Output(name: "dx", values: dx.values), Output(name: "h", values: u.values)]
    }

    func tolerances(exact: [Output<Double>]) -> [[Double]] { exact.map { $0.values.map { _ in 0 } } }
}
