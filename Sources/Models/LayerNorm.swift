import Tensors

/// Scale and shift of a LayerNorm over C.
struct LayerNorm<B: Backend> {
    let gamma: Int, beta: Int
    let epsilon: Double

    init(_ name: String, width: Int, epsilon: Double, unit: ParameterUnit, layout: inout ParameterLayout) {
        self.epsilon = epsilon
        layout.append("\(name).weight", [width], role: .normalization, unit: unit)
        layout.append("\(name).bias", [width], role: .normalization, unit: unit)
        gamma = layout["\(name).weight"]!.offset
        beta = layout["\(name).bias"]!.offset
    }

    func norm(_ weights: B.Source) -> Norm<B.Scalar> {
        Norm(gamma: weights + gamma, beta: weights + beta, epsilon: epsilon)
    }
}
