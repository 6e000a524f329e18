import Testing
@testable import Tensors

/// Products of bfloat16 by every unit for them: this machine's, none (rounded elements as float32), and the emulations.
@Suite("Products of bfloat16")
struct BF16ProductTests {
    /// Sizes around the register blocks (14×32, 32×32) and their steps of 2 and 32 along k.
    static let edges = [1, 2, 13, 14, 15, 16, 17, 31, 32, 33, 47]

    private func expect(_ product: ProductCase, sourceLocation: SourceLocation = #_sourceLocation) {
        var rounded = product
        rounded.isRounded = true
        expectAgreement(rounded, precision: .bf16, sourceLocation: sourceLocation)
    }

    @Test("of rounded inputs round nothing but their sums, at every edge of the register blocks", arguments: edges)
    func registerBlocks(m: Int) {
        for (column, n) in Self.edges.enumerated() {
            for (index, option) in ProductTests.options.enumerated() {
                let k = [1, 3, 17, 31, 32, 33, 40][(column + index) % 7]
                expect(ProductCase(m: m, n: n, k: k, transposesA: option.0, transposesB: option.1, accumulates: option.2,
                                   hasBias: option.3, activation: option.4, padding: index % 3))
            }
        }
    }

    @Test("agree with the reference around the blocks of the inner dimension", arguments: [511, 512, 513, 1025, 2047, 2048, 2049, 2600])
    func depths(k: Int) {
        for (index, option) in ProductTests.options.enumerated() {
            expect(ProductCase(m: [1, 15, 33][index % 3], n: [2, 48, 13, 100][index % 4], k: k, transposesA: option.0,
                               transposesB: option.1, accumulates: option.2, hasBias: option.3, activation: option.4,
                               padding: index % 2))
        }
    }

    @Test("agree with the reference over many tiles", arguments: [
        ProductCase(m: 300, n: 800, k: 96, transposesB: true, hasBias: true, activation: .gelu),
        ProductCase(m: 600, n: 300, k: 30, accumulates: true),
        ProductCase(m: 130, n: 130, k: 301, transposesA: true, accumulates: true),
        ProductCase(m: 31, n: 1601, k: 70, transposesA: true, transposesB: true, activation: .relu),
    ])
    func tiles(product: ProductCase) { expect(product) }

    @Test("agree with the reference when all terms have one sign", arguments: [40, 600])
    func oneSign(k: Int) { expect(ProductCase(m: 33, n: 70, k: k, transposesB: true, mean: 4)) }

    @Test("are zero plus bias, or C, when the inner dimension is empty", arguments: [true, false], [true, false])
    func empty(accumulates: Bool, hasBias: Bool) {
        expect(ProductCase(m: 5, n: 9, k: 0, accumulates: accumulates, hasBias: hasBias, activation: .relu, padding: 2))
    }

    @Test("round their inputs to nearest, ties to even: the same bits as of inputs rounded beforehand",
          arguments: CPUBackend.InstructionSet.availableForBF16)
    func rounding(set: CPUBackend.InstructionSet) {
        let backend = CPUBackend(threads: 2, instructionSet: set, precision: .bf16)
        for (transposesA, transposesB) in [(false, true), (false, false), (true, false), (true, true)] {
            var product = ProductCase(m: 45, n: 70, k: 133, transposesA: transposesA, transposesB: transposesB)
            let raw = product.run(on: backend)[0].values.map(\.bitPattern)
            product.isRounded = true
            #expect(raw == product.run(on: backend)[0].values.map(\.bitPattern))
        }
    }

    @Test("round ties to even and keep what is representable", arguments: CPUBackend.InstructionSet.availableForBF16)
    func ties(set: CPUBackend.InstructionSet) {
        // One step of bfloat16 above 1 is 2⁻⁷; halves of it are ties.
        let inputs: [Float] = [1, 1 + 0x1p-8, 1 + 0x1p-7, 1 + 0x1p-7 + 0x1p-8, -1 - 0x1p-8, 1 + 0x1p-8 + 0x1p-20, 0x1.fep127]
        let rounded: [Float] = [1, 1, 1 + 0x1p-7, 1 + 0x1p-6, -1, 1 + 0x1p-7, 0x1.fep127]
        let a = Block<Float>(inputs), one = Block<Float>([1]), c = Block<Float>(count: inputs.count)
        CPUBackend(threads: 1, instructionSet: set, precision: .bf16).multiply(Product(
            m: inputs.count, n: 1, k: 1, a: a.elements, aRow: 1, aColumn: 1, b: one.elements, bRow: 1, bColumn: 1, c: c.elements, cRow: 1))
        keepUntilHere(a, one)
        #expect(c.values == rounded)
    }

    @Test("marked as float32 are not rounded", arguments: CPUBackend.InstructionSet.availableForBF16)
    func float32(set: CPUBackend.InstructionSet) {
        let product = ProductCase(m: 5, n: 7, k: 30)
        let plain = set.multipliesBF16 && !set.isEmulated ? .avx512 : set
        let expected = product.run(on: CPUBackend(threads: 1, instructionSet: plain))[0].values
        let backend = CPUBackend(threads: 1, instructionSet: set, precision: .bf16)
        let marked: [Output<Float>] = product.run { (p: Product<Float>) in
            var p = p
            p.isFloat32 = true
            backend.multiply(p)
        }
        #expect(marked[0].values == expected)
        #expect(product.run(on: backend)[0].values != expected)
    }

    @Test("are not touched by what an earlier product left in the scratch memory", arguments: CPUBackend.InstructionSet.availableForBF16)
    func scratch(set: CPUBackend.InstructionSet) {
        func backend() -> CPUBackend { CPUBackend(threads: 1, instructionSet: set, precision: .bf16) }
        let product = ProductCase(m: 35, n: 37, k: 33, transposesB: true), used = backend()
        let nan = Block<Float>([Float](repeating: .nan, count: 64 * 96)), c = Block<Float>(count: 64 * 64)
        used.multiply(.linear(rows: 64, inputs: 96, outputs: 64, x: nan.elements, weight: nan.pointer, bias: nil, y: c.elements))
        keepUntilHere(nan)
        #expect(c.values[0].isNaN)
        #expect(product.run(on: used)[0].values == product.run(on: backend())[0].values)
    }

    @Test("give a row the same bits whatever other rows there are", arguments: CPUBackend.InstructionSet.availableForBF16)
    func rowSubset(set: CPUBackend.InstructionSet) {
        let (m, n, k) = (150, 70, 600)
        var sample = Sample(41)
        let x = Block<Float>(sample.normal(m * k)), w = Block<Float>(sample.normal(n * k))
        let backend = CPUBackend(threads: 2, instructionSet: set, precision: .bf16)
        func rows(_ range: Range<Int>) -> [UInt32] {
            let y = Block<Float>(count: range.count * n)
            backend.multiply(.linear(rows: range.count, inputs: k, outputs: n, x: x.elements + range.lowerBound * k, weight: w.pointer,
                                     bias: nil, y: y.elements))
            return y.values.map(\.bitPattern)
        }
        let all = rows(0..<m)
        for range in [0..<1, 1..<2, 17..<30, 13..<28, 149..<150, 100..<150, 3..<117] {
            #expect(rows(range) == Array(all[range.lowerBound * n..<range.upperBound * n]), "rows \(range)")
        }
        keepUntilHere(x, w)
    }

    @Test("carry a NaN and an infinity of the inputs to their row and column, and nowhere else",
          arguments: CPUBackend.InstructionSet.availableForBF16)
    func notFinite(set: CPUBackend.InstructionSet) {
        let (m, n, k) = (19, 37, 100)
        // The second NaN has no bit in the upper half: rounding must not make an infinity of it.
        for value in [Float.nan, Float(bitPattern: 0x7f80_0001), .infinity] {
            var sample = Sample(5)
            var left = sample.normal(m * k), right = sample.normal(n * k)
            left[7 * k + 99] = value
            right[11 * k + 2] = value
            let a = Block<Float>(left), b = Block<Float>(right), c = Block<Float>(count: m * n)
            withExtendedLifetime((a, b)) {
                CPUBackend(threads: 2, instructionSet: set, precision: .bf16).multiply(.linear(
                    rows: m, inputs: k, outputs: n, x: a.elements, weight: b.pointer, bias: nil, y: c.elements))
            }
            for (index, result) in c.values.enumerated() {
                let isTouched = index / n == 7 || index % n == 11
                #expect(result.isFinite != isTouched, "row \(index / n) column \(index % n)")
                if value.isNaN { #expect(result.isNaN == isTouched) }
            }
        }
    }
}
