import Testing
@testable import Tensors

@Suite("Counts of products")
struct ProductCountsTests {
    private func expectCounts<B: Backend>(_ backend: B) {
        let x = Block<B.Scalar>(count: 200), w = Block<B.Scalar>(count: 200), y = Block<B.Scalar>(count: 200)
        #expect(backend.counts == ProductCounts())
        backend.multiply(.linear(rows: 3, inputs: 5, outputs: 7, x: x.elements, weight: w.pointer, bias: nil, y: y.elements))
        backend.multiply(.linearInputGradient(
            rows: 4, inputs: 5, outputs: 7, dy: y.elements, weight: w.pointer, dx: x.elements, accumulates: false))
        backend.multiply(.linearWeightGradient(rows: 6, inputs: 5, outputs: 7, dy: y.elements, x: x.elements, dw: w.pointer))
        let before = backend.counts
        #expect([before.forward, before.inputGradient, before.weightGradient] == [105, 140, 210])
        #expect(before.linear == 455 && before.total == 455)
        // Forward and backward over sequences of 2, 1 and 5 tokens: 4 + 1 + 25 scores a head.
        _ = AttentionCase(H: 2, D: 3, lengths: [2, 1, 5]).run(on: backend)
        let attention = backend.counts - before
        #expect(attention.linear == 0)
        #expect(attention.attentionForward == 2 * 30 * 6 && attention.attentionGradient == 5 * 30 * 6)
        #expect(attention.total == 7 * 30 * 6)
        keepUntilHere(x, w, y)
    }

    @Test("are multiply–adds by what a product is for, on every backend")
    func kinds() {
        expectCounts(ReferenceBackend<Double>())
        expectCounts(CPUBackend(threads: 2))
    }
}
