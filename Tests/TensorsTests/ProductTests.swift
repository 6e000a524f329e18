import CKernels
import Testing
@testable import Tensors

@Suite("Products")
struct ProductTests {
    /// Sizes around the register blocks (4×8, 6×16, 14×32) of the three instruction sets.
    static let edges = [1, 2, 13, 14, 15, 31, 33]

    /// Whether A and B are transposed, C is added to, and what follows.
    static let options: [(Bool, Bool, Bool, Bool, Activation)] = [
        (false, true, false, true, .gelu), (false, false, true, false, .none), (true, false, true, false, .none),
        (false, true, false, true, .none), (true, true, false, true, .relu), (false, false, false, false, .geluTanh),
        (true, true, true, true, .gelu), (false, true, true, true, .geluTanh),
    ]

    @Test("agree with the reference at every edge of the register blocks", arguments: edges)
    func registerBlocks(m: Int) {
        for (column, n) in Self.edges.enumerated() {
            for (index, option) in Self.options.enumerated() {
                let k = [1, 3, 17, 40][(column + index) % 4]
                expectAgreement(ProductCase(m: m, n: n, k: k, transposesA: option.0, transposesB: option.1,
                                            accumulates: option.2, hasBias: option.3, activation: option.4,
                                            padding: index % 3))
            }
        }
    }

    @Test("agree with the reference around the blocks of the inner dimension",
          arguments: [255, 256, 257, 512, 1023, 1024, 1025, 1281, 2049, 2304])
    func depths(k: Int) {
        for (index, option) in Self.options.enumerated() {
            expectAgreement(ProductCase(m: [1, 15, 33][index % 3], n: [2, 48, 13, 100][index % 4], k: k,
                                        transposesA: option.0, transposesB: option.1, accumulates: option.2,
                                        hasBias: option.3, activation: option.4, padding: index % 2))
        }
    }

    @Test("agree with the reference over many tiles", arguments: [
        ProductCase(m: 300, n: 800, k: 384, transposesB: true, hasBias: true, activation: .gelu),
        ProductCase(m: 800, n: 300, k: 30, accumulates: true),
        ProductCase(m: 113, n: 1536, k: 40, transposesB: true, hasBias: true, activation: .geluTanh, padding: 3),
        ProductCase(m: 384, n: 384, k: 301, transposesA: true, accumulates: true),
        ProductCase(m: 800, n: 33, k: 1030, transposesB: true, hasBias: true),
        ProductCase(m: 31, n: 1601, k: 300, transposesA: true, transposesB: true, activation: .relu),
        ProductCase(m: 801, n: 799, k: 48, transposesB: true, hasBias: true, mean: 1),
    ])
    func tiles(product: ProductCase) { expectAgreement(product) }

    @Test("agree with the reference when all terms have one sign", arguments: [40, 300, 1100])
    func oneSign(k: Int) { expectAgreement(ProductCase(m: 33, n: 70, k: k, transposesB: true, mean: 4)) }

    @Test("are zero plus bias, or C, when the inner dimension is empty", arguments: [true, false], [true, false])
    func empty(accumulates: Bool, hasBias: Bool) {
        expectAgreement(ProductCase(m: 5, n: 9, k: 0, accumulates: accumulates, hasBias: hasBias, activation: .relu,
                                    padding: 2))
    }

    @Test("copy to the second output without an activation", arguments: CPUBackend.InstructionSet.available)
    func copy(set: CPUBackend.InstructionSet) {
        let a = Block<Float>([1, 2, 3]), c = Block<Float>(count: 1), second = Block<Float>(count: 1)
        CPUBackend(threads: 1, instructionSet: set).multiply(Product(
            m: 1, n: 1, k: 3, a: a.elements, aRow: 3, aColumn: 1, b: a.elements, bRow: 1, bColumn: 1, c: c.elements,
            cRow: 1, activated: second.elements))
        keepUntilHere(a)
        #expect(c.values == [14] && second.values == [14])
    }

    @Test("give a row the same bits whatever other rows there are", arguments: CPUBackend.InstructionSet.available)
    func rowSubset(set: CPUBackend.InstructionSet) {
        let (m, n, k) = (300, 130, 1100)
        var sample = Sample(41)
        let x = Block<Float>(sample.normal(m * k)), w = Block<Float>(sample.normal(n * k))
        let bias = Block<Float>(sample.normal(n))
        let backend = CPUBackend(threads: 2, instructionSet: set)
        func rows(_ range: Range<Int>) -> [[UInt32]] {
            let y = Block<Float>(count: range.count * n), h = Block<Float>(count: range.count * n)
            var product = Product<Float>.linear(
                rows: range.count, inputs: k, outputs: n, x: x.elements + range.lowerBound * k, weight: w.pointer,
                bias: bias.pointer, y: y.elements)
            product.activation = .gelu
            product.activated = h.elements
            backend.multiply(product)
            return [y, h].map { $0.values.map(\.bitPattern) }
        }
        let all = rows(0..<m)
        for range in [0..<1, 1..<2, 17..<30, 13..<28, 299..<300, 100..<300, 3..<117] {
            let part = rows(range)
            for output in 0..<2 {
                let same = Array(all[output][range.lowerBound * n..<range.upperBound * n])
                #expect(part[output] == same, "rows \(range)")
            }
        }
        keepUntilHere(x, w, bias)
    }

    @Test("carry a NaN and an infinity of the inputs to their row and column, and nowhere else")
    func notFinite() {
        let (m, n, k) = (19, 37, 300)
        for set in CPUBackend.InstructionSet.available {
            for value in [Float.nan, .infinity] {
                var sample = Sample(5)
                var left = sample.normal(m * k), right = sample.normal(n * k)
                left[7 * k + 299] = value
                right[11 * k + 2] = value
                let a = Block<Float>(left), b = Block<Float>(right), c = Block<Float>(count: m * n)
                withExtendedLifetime((a, b)) {
                    CPUBackend(threads: 2, instructionSet: set).multiply(.linear(
                        rows: m, inputs: k, outputs: n, x: a.elements, weight: b.pointer, bias: nil, y: c.elements))
                }
                for (index, result) in c.values.enumerated() {
                    let isTouched = index / n == 7 || index % n == 11
                    #expect(result.isFinite != isTouched, "\(set) row \(index / n) column \(index % n)")
                    if value.isNaN { #expect(result.isNaN == isTouched) }
                }
            }
        }
    }

    @Test("of a layer, its input's and its weight's gradient are the three products of y = x·wᵀ + b")
    func layer() {
        let (rows, inputs, outputs) = (3, 2, 4)
        let x = Block<Double>([1, 2, 3, 4, 5, 6]), w = Block<Double>([1, 0, 0, 1, 1, 1, 2, -1])
        let b = Block<Double>([10, 20, 30, 40]), y = Block<Double>(count: 12)
        let reference = ReferenceBackend<Double>()
        reference.multiply(.linear(rows: rows, inputs: inputs, outputs: outputs, x: x.elements, weight: w.pointer,
                                   bias: b.pointer, y: y.elements))
        #expect(y.values == [11, 22, 33, 40, 13, 24, 37, 42, 15, 26, 41, 44])
        let dy = Block<Double>([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1]), dx = Block<Double>([1, 1, 1, 1, 1, 1])
        reference.multiply(.linearInputGradient(rows: rows, inputs: inputs, outputs: outputs, dy: dy.elements,
                                                weight: w.pointer, dx: dx.elements, accumulates: true))
        #expect(dx.values == [2, 1, 1, 2, 4, 1])
        let dw = Block<Double>([100, 0, 0, 0, 0, 0, 0, 0])
        reference.multiply(.linearWeightGradient(rows: rows, inputs: inputs, outputs: outputs, dy: dy.elements,
                                                 x: x.elements, dw: dw.pointer))
        #expect(dw.values == [101, 2, 3, 4, 5, 6, 5, 6])
        keepUntilHere(x, w, b, dy)
    }
}

/// out[j] += Σᵢ x[i,j].
struct ColumnSumCase: OperationCase {
    var rows: Int, columns: Int, padding = 0
    var testDescription: String { "column sums of \(rows)×\(columns), padding \(padding)" }

    private var x: [Float] {
        var sample = Sample(rows, columns)
        return sample.normal(rows * (columns + padding), mean: 0.5)
    }

    func run<B: Backend>(on backend: B) -> [Output<B.Scalar>] {
        let block = Block<B.Scalar>(x), out = Block<B.Scalar>((0..<columns).map { Float($0) / 8 })
        backend.addColumnSums(rows: rows, columns: columns, block.elements, stride: columns + padding, into: out.pointer)
        keepUntilHere(block)
        return [Output(name: "sums", values: out.values)]
    }

    /// As for products: √rows·u of the sum of magnitudes.
    func tolerances(exact: [Output<Double>]) -> [[Double]] {
        let x = x
        return [(0..<columns).map { j in
            let magnitude = (0..<rows).reduce(Double(j) / 8) { $0 + abs(Double(x[$1 * (columns + padding) + j])) }
            return (Double(rows).squareRoot() + 2) * u * magnitude
        }]
    }
}

@Suite("Column sums")
struct ColumnSumTests {
    @Test("agree with the reference", arguments: [0, 1, 255, 256, 257, 1000], [1, 7, 30, 48, 384, 1153])
    func agreement(rows: Int, columns: Int) {
        expectAgreement(ColumnSumCase(rows: rows, columns: columns))
        expectAgreement(ColumnSumCase(rows: rows, columns: columns, padding: 5))
    }
}
