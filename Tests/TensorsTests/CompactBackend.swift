import Testing
@testable import Tensors

/// Takes arrays of float32, as cases are written, and has the operation work on bfloat16 in memory; or, as its twin, on float32 that
/// is rounded before and after. Both have to give the same bits, for bfloat16 in memory changes nothing but what is stored.
final class CompactBackend: Backend {
    typealias Scalar = Float

    /// Which of a product's arrays are bfloat16.
    struct Mixture: Hashable, CaseIterable, CustomTestStringConvertible {
        var a: Bool, b: Bool, c: Bool
        static let allCases = [false, true].flatMap { a in [false, true].flatMap { b in [false, true].map { Mixture(a: a, b: b, c: $0) } } }
        var testDescription: String { "\(a ? "A" : "a")\(b ? "B" : "b")\(c ? "C" : "c")" }
    }

    private let base: CPUBackend
    private let isTwin: Bool
    private let mixture: Mixture

    init(_ base: CPUBackend, isTwin: Bool, mixture: Mixture = Mixture(a: true, b: true, c: true)) {
        (self.base, self.isTwin, self.mixture) = (base, isTwin, mixture)
    }

    var name: String { base.name }
    var keepsBF16: Bool { base.keepsBF16 }
    var counts: ProductCounts { base.counts }

    /// The array as the operation takes it; `finish` brings its results back.
    private final class Stored {
        let float: UnsafeMutablePointer<Float>, count: Int
        let half: HalfBlock?

        /// - Parameter isTwin: rounds what is in the array in place.
        init(_ elements: Elements<Float>, count: Int, compacts: Bool, isTwin: Bool) {
            (float, self.count) = (elements.scalars, count)
            half = compacts && !isTwin ? HalfBlock(UnsafeBufferPointer(start: float, count: count)) : nil
            if compacts && isTwin { round() }
        }

        var elements: Elements<Float> { half.map { Elements(address: $0.pointer, isBF16: true) } ?? Elements(float) }

        func round() { for i in 0..<count { float[i] = roundedToBF16(float[i]) } }

        func finish(rounds: Bool) {
            if let half { for (i, value) in half.values.enumerated() { float[i] = value } } else if rounds { round() }
        }
    }

    func multiply(_ p: Product<Float>) {
        let compactsC = mixture.c && !p.accumulates
        func stored(_ e: Elements<Float>, _ rows: Int, _ row: Int, _ columns: Int, _ column: Int, _ compacts: Bool) -> Stored {
            Stored(e, count: rows == 0 || columns == 0 ? 0 : (rows - 1) * row + (columns - 1) * column + 1, compacts: compacts, isTwin: isTwin)
        }
        let a = stored(p.a, p.m, p.aRow, p.k, p.aColumn, mixture.a), b = stored(p.b, p.k, p.bRow, p.n, p.bColumn, mixture.b)
        let c = stored(p.c, p.m, p.cRow, p.n, 1, compactsC)
        let others = [p.activated, p.uToH].map { $0.map { stored($0, p.m, p.cRow, p.n, 1, compactsC) } }
        var product = p
        (product.a, product.b, product.c) = (a.elements, b.elements, c.elements)
        (product.activated, product.uToH) = (others[0]?.elements, others[1]?.elements)
        if isTwin && compactsC && p.activation != .none {
            // The activation is of C as it is in memory, its derivative of u as it is there.
            var plain = product
            (plain.activation, plain.activated, plain.uToH) = (.none, nil, nil)
            base.multiply(plain)
            if p.activated != nil { c.round() }
            product = Product(m: p.m, n: p.n, k: 0, a: product.a, aRow: 0, aColumn: 1, b: product.b, bRow: 0, bColumn: 1, c: product.c,
                              cRow: p.cRow, accumulates: true, activation: p.activation, activated: product.activated, uToH: product.uToH)
        }
        base.multiply(product)
        c.finish(rounds: compactsC)
        for other in others { other?.finish(rounds: compactsC) }
        withExtendedLifetime((a, b)) {}
    }

    private func stored(_ e: Elements<Float>, _ count: Int) -> Stored { Stored(e, count: count, compacts: true, isTwin: isTwin) }

    func addColumnSums(rows: Int, columns: Int, _ x: Elements<Float>, stride: Int, into out: Target) {
        let x = stored(x, rows == 0 ? 0 : (rows - 1) * stride + columns)
        base.addColumnSums(rows: rows, columns: columns, x.elements, stride: stride, into: out)
        withExtendedLifetime(x) {}
    }

    func residualNormBackward(T: Int, C: Int, dy: Source, z: Source, statistics: Source, norm: Norm<Float>, dropout: Dropout,
                              dz: Target, dBranch: Elements<Float>?, dGamma: Target?, dBeta: Target?) {
        let branch = dBranch.map { stored($0, T * C) }
        base.residualNormBackward(T: T, C: C, dy: dy, z: z, statistics: statistics, norm: norm, dropout: dropout, dz: dz,
                                  dBranch: branch?.elements, dGamma: dGamma, dBeta: dBeta)
        branch?.finish(rounds: true)
    }

    func attend(_ pass: AttentionPass<Float>) {
        let C = pass.H * pass.D, rows = pass.firstQueries == nil ? pass.T : pass.B
        let qkv = stored(pass.qkv, 3 * pass.T * C), context = stored(pass.context, rows * C)
        let firsts = pass.firstQueries.map { stored($0, rows * C) }
        var pass = pass
        (pass.qkv, pass.firstQueries, pass.context) = (qkv.elements, firsts?.elements, context.elements)
        base.attend(pass)
        context.finish(rounds: true)
        withExtendedLifetime((qkv, firsts)) {}
    }

    func attendBackward(_ pass: AttentionPass<Float>, dContext: Elements<Float>, dqkv: Elements<Float>, dFirstQueries: Elements<Float>?) {
        let C = pass.H * pass.D, count = (pass.firstQueries == nil ? pass.T : pass.B) * C
        let qkv = stored(pass.qkv, 3 * pass.T * C), context = stored(pass.context, count), gradient = stored(dContext, count)
        let result = stored(dqkv, 3 * pass.T * C)
        let firsts = pass.firstQueries.map { stored($0, count) }, firstsResult = dFirstQueries.map { stored($0, count) }
        var pass = pass
        (pass.qkv, pass.firstQueries, pass.context) = (qkv.elements, firsts?.elements, context.elements)
        base.attendBackward(pass, dContext: gradient.elements, dqkv: result.elements, dFirstQueries: firstsResult?.elements)
        result.finish(rounds: true)
        firstsResult?.finish(rounds: true)
        withExtendedLifetime((qkv, context, gradient, firsts)) {}
    }

    // No array of these is ever bfloat16.
    func drop(rows: Int, columns: Int, _ x: Target, _ dropout: Dropout) { base.drop(rows: rows, columns: columns, x, dropout) }
    func residualNorm(T: Int, C: Int, branchToZ: Target, residual: Source, norm: Norm<Float>, dropout: Dropout, statistics: Target,
                      y: Target) {
        base.residualNorm(T: T, C: C, branchToZ: branchToZ, residual: residual, norm: norm, dropout: dropout, statistics: statistics, y: y)
    }
    func embed(_ embedding: EmbeddingPass<Float>) { base.embed(embedding) }
    func embedBackward(_ embedding: EmbeddingPass<Float>, dyToDz: Target, dGamma: Target?, dBeta: Target?) {
        base.embedBackward(embedding, dyToDz: dyToDz, dGamma: dGamma, dBeta: dBeta)
    }
    func scatterAdd(T: Int, C: Int, index: UnsafePointer<Int32>, dz: Source, table: Target) {
        base.scatterAdd(T: T, C: C, index: index, dz: dz, table: table)
    }
}

/// bfloat16 at a fixed address between two fences that nothing may write to.
final class HalfBlock {
    private let fence = 64
    private let base: UnsafeMutablePointer<UInt16>
    private let count: Int

    var pointer: UnsafeMutablePointer<UInt16> { base + fence }

    init(_ values: UnsafeBufferPointer<Float>) {
        count = values.count
        base = .allocate(capacity: count + 2 * fence)
        base.initialize(repeating: 0x7fc1, count: count + 2 * fence)
        for (i, value) in values.enumerated() {
            pointer[i] = value.isNaN ? 0x7fc0 : UInt16(roundedToBF16(value).bitPattern >> 16)
        }
    }

    deinit { base.deallocate() }

    /// The elements, after a look at the fences.
    var values: [Float] {
        let isIntact = (0..<fence).allSatisfy { base[$0] == 0x7fc1 && base[fence + count + $0] == 0x7fc1 }
        #expect(isIntact, "an operation wrote outside of its array")
        return (0..<count).map { Float(bitPattern: UInt32(pointer[$0]) << 16) }
    }
}
