/// A transformation that multiplies the direction of each tensor by a factor made from the tensor's own norms.
///
/// Weight matrices and embeddings have a trust ratio. Biases and LayerNorm have none and get `exemptFactor`.
public protocol TrustRatioScaling: GradientTransformation {
    /// The trust ratio r of a tensor.
    ///
    /// - Parameters:
    ///   - weights: ‖x‖₂ before the step.
    ///   - direction: ‖u‖₂ of the direction as it reaches the transformation.
    func ratio(weights: Double, direction: Double) -> Double

    /// The factor of tensors without a trust ratio.
    var exemptFactor: Double { get }
}

extension TrustRatioScaling {
    public var measures: Measures { [.direction, .weights] }

    /// The factor of every trained tensor.
    func factors(for step: StepContext) -> [Double] {
        step.isDecayed.indices.map { tensor in
            guard step.isDecayed[tensor] else { return exemptFactor }
            return ratio(
                weights: step.measurement.weights[tensor].squareRoot(),
                direction: step.measurement.direction[tensor].squareRoot())
        }
    }

    /// What a report says about the step; nil where no trained tensor has a trust ratio.
    func trustRatios(for step: StepContext) -> TrustRatios? {
        TrustRatios(zip(factors(for: step), step.isDecayed).compactMap { $1 ? $0 : nil })
    }
}
