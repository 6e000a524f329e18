import Testing
@testable import Tensors

/// C = A·B with its options; the inputs follow from the shape.
struct ProductCase: OperationCase {
    var m: Int, n: Int, k: Int
    var transposesA = false, transposesB = false
    var accumulates = false
    var hasBias = false
    var activation = Activation.none
    /// Elements between the end of a row and the next row, in all three matrices.
    var padding = 0
    /// Sums over magnitudes when set: the same operation on the absolute values of the inputs.
    var isMagnitude = false
    /// Shifts the inputs: with 1 nearly all terms of a sum have the same sign, the worst case for rounding.
    var mean: Float = 0
    /// Rounds A and B to bfloat16 beforehand: a product of that format then rounds nothing but its sums.
    var isRounded = false

    var testDescription: String {
        "\(m)×\(k)·\(k)×\(n)\(transposesA ? " Aᵀ" : "")\(transposesB ? " Bᵀ" : "")\(accumulates ? " +C" : "")"
            + "\(hasBias ? " +bias" : "") \(activation)\(padding > 0 ? " padded" : "")"
    }

    /// A matrix [rows, columns] in memory as such or transposed, rows `padding` apart, NaN in the padding.
    private func matrix(_ rows: Int, _ columns: Int, transposed: Bool, seed: Int)
        -> (values: [Float], row: Int, column: Int) {
        let (outer, inner) = transposed ? (columns, rows) : (rows, columns)
        let stride = inner + padding
        var sample = Sample(seed, m, n, k)
        var data = magnitude(sample.normal(outer * inner, mean: mean))
        if isRounded { data = data.map(roundedToBF16) }
        var values = [Float](repeating: .nan, count: outer * stride)
        for i in 0..<outer { for j in 0..<inner { values[i * stride + j] = data[i * inner + j] } }
        return (values, transposed ? 1 : stride, transposed ? stride : 1)
    }

    private func magnitude(_ values: [Float]) -> [Float] { isMagnitude ? values.map { abs($0) } : values }

    func run<B: Backend>(on backend: B) -> [Output<B.Scalar>] { run { backend.multiply($0) } }

    func run<Scalar: BinaryFloatingPoint>(_ multiply: (Product<Scalar>) -> Void) -> [Output<Scalar>] {
        let a = matrix(m, k, transposed: transposesA, seed: 1), b = matrix(k, n, transposed: transposesB, seed: 2)
        var sample = Sample(3, m, n, k)
        let bias = Block<Scalar>(magnitude(sample.normal(n))), stride = n + padding
        var before = magnitude(sample.normal(m * stride))
        if !accumulates { for i in 0..<m { for j in 0..<n { before[i * stride + j] = .nan } } }
        let c = Block<Scalar>(before), activated = Block<Scalar>(before)
        let blockA = Block<Scalar>(a.values), blockB = Block<Scalar>(b.values)
        withExtendedLifetime((blockA, blockB, bias)) {
            multiply(Product(
                m: m, n: n, k: k, a: blockA.elements, aRow: a.row, aColumn: a.column, b: blockB.elements, bRow: b.row,
                bColumn: b.column, c: c.elements, cRow: stride, accumulates: accumulates,
                bias: hasBias ? UnsafePointer(bias.pointer) : nil, activation: activation,
                activated: activation == .none ? nil : activated.elements))
        }
        let outputs = [Output(name: "C", values: c.values)]
        return activation == .none ? outputs : outputs + [Output(name: "activated", values: activated.values)]
    }

    /// k roundings of partial sums, each at most u of the sum of magnitudes: at worst k·u, as a random walk √k·u.
    /// An activation passes that on by at most its steepest slope, 1.13, and adds its own error.
    func tolerances(exact: [Output<Double>]) -> [[Double]] {
        var magnitudes = self
        magnitudes.isMagnitude = true
        magnitudes.activation = .none
        let bound = (Double(k).squareRoot() + 4) * u
        let sums = magnitudes.run(on: ReferenceBackend<Double>())[0].values.map { $0 * bound }
        guard exact.count == 2 else { return [sums] }
        return [sums, zip(sums, exact[0].values).map { 1.13 * $0 + 4 * u * abs($1) }]
    }
}
