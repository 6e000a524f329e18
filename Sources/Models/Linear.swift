import Tensors

/// y = x·Wᵀ + b. W is stored [outputs, inputs], as PyTorch does.
struct Linear<B: Backend> {
    let inputs: Int, outputs: Int
    /// Offsets in the flat parameters.
    let weight: Int, bias: Int
    /// Computed in float32 whatever the backend's precision.
    let isFloat32: Bool

    init(_ name: String, inputs: Int, outputs: Int, unit: ParameterUnit, isFloat32: Bool = false, layout: inout ParameterLayout) {
        self.inputs = inputs
        self.outputs = outputs
        self.isFloat32 = isFloat32
        layout.append("\(name).weight", [outputs, inputs], role: .weight, unit: unit)
        layout.append("\(name).bias", [outputs], role: .bias, unit: unit)
        weight = layout["\(name).weight"]!.offset
        bias = layout["\(name).bias"]!.offset
    }

    /// Overwrites y [rows, outputs]; with an activation also `activated`.
    func forward(_ backend: B, _ weights: B.Source, rows: Int, x: Elements<B.Scalar>,
                 y: Elements<B.Scalar>, activation: Activation = .none, activated: Elements<B.Scalar>? = nil) {
        var product = Product<B.Scalar>.linear(
            rows: rows, inputs: inputs, outputs: outputs, x: x, weight: weights + weight,
            bias: weights + bias, y: y)
        product.activation = activation
        product.activated = activated
        multiply(backend, product)
    }

    /// Overwrites dx, or adds to it. With `uToH` x was activation(u): dx becomes the gradient of u, and u becomes x.
    func inputGradient(_ backend: B, _ weights: B.Source, rows: Int, dy: Elements<B.Scalar>, dx: Elements<B.Scalar>,
                       accumulates: Bool, activation: Activation = .none, uToH: Elements<B.Scalar>? = nil) {
        var product = Product<B.Scalar>.linearInputGradient(
            rows: rows, inputs: inputs, outputs: outputs, dy: dy, weight: weights + weight, dx: dx, accumulates: accumulates)
        product.activation = activation
        product.uToH = uToH
        multiply(backend, product)
    }

    /// Adds to the gradient of W, or overwrites it, and adds to that of b.
    func parameterGradient(_ backend: B, _ gradient: GradientTarget<B>, rows: Int, dy: Elements<B.Scalar>, x: Elements<B.Scalar>) {
        multiply(backend, .linearWeightGradient(
            rows: rows, inputs: inputs, outputs: outputs, dy: dy, x: x, dw: gradient + weight, accumulates: gradient.addsMatrices))
        backend.addColumnSums(rows: rows, columns: outputs, dy, stride: outputs, into: gradient + bias)
    }

    private func multiply(_ backend: B, _ product: Product<B.Scalar>) {
        var product = product
        product.isFloat32 = isFloat32
        backend.multiply(product)
    }
}
