@testable import Tensors

extension Backend {
    /// (u, dh) → (h, du), `count` elements: the end of a product that is an empty sum.
    func activationBackward(_ activation: Activation, count: Int, uToH: Target, dhToDu: Target) {
        var product = Product<Scalar>(m: 1, n: count, k: 0, a: Elements(uToH), aRow: 0, aColumn: 1, b: Elements(uToH), bRow: 0, bColumn: 1,
                                      c: Elements(dhToDu), cRow: count, accumulates: true)
        product.activation = activation
        product.uToH = Elements(uToH)
        multiply(product)
    }
}
