import COpenBLAS
import Testing
@testable import Tensors

@Suite("OpenBLAS")
struct OpenBLASTests {
    @Test("computes the products of the reference")
    func agreement() throws {
        try #require(openblas_load())
        #expect(!String(cString: openblas_corename()).isEmpty)
        for (m, n, k) in [(1, 1, 1), (13, 33, 40), (300, 130, 257), (14, 384, 1100)] {
            for (transposesA, transposesB) in [(false, false), (true, false), (false, true), (true, true)] {
                let product = ProductCase(m: m, n: n, k: k, transposesA: transposesA, transposesB: transposesB,
                                          accumulates: transposesA)
                let exact = product.run(on: ReferenceBackend<Double>())
                let values = product.run(multiply)
                expect(values[0].values, near: exact[0].values, within: product.tolerances(exact: exact)[0],
                       product.testDescription)
            }
        }
    }

    private func multiply(_ p: Product<Float>) {
        let (isTransposedA, isTransposedB) = (p.aColumn != 1, p.bColumn != 1)
        openblas_sgemm(isTransposedA, isTransposedB, Int32(p.m), Int32(p.n), Int32(p.k), p.a.scalars,
                       Int32(isTransposedA ? p.aColumn : p.aRow), p.b.scalars, Int32(isTransposedB ? p.bColumn : p.bRow),
                       p.accumulates, p.c.scalars, Int32(p.cRow))
    }
}
