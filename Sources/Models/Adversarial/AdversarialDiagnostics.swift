/// What an adversarial step did to its batch. Means are over the examples that had noise; those of losses are weighted as the
/// step's loss is.
public struct AdversarialDiagnostics: Hashable, Sendable {
    public internal(set) var perturbedExamples = 0
    /// ‖δ‖₂ of an example, or its largest |δᵢ|.
    public var meanNorm: Double { mean(normSum) }
    /// Share of them whose δ touches the surface of the ball.
    public var surfaceShare: Double { mean(Double(surfaceCount)) }
    /// Mean loss at the last δ less that at the first; nil without an ascent or where neither was evaluated.
    public var ascentGain: Double? { hasStart && hasEnd ? meanLoss(endLoss - startLoss) : nil }
    /// Mean loss at the last δ less that without noise; nil where the loss without noise is not known.
    public var adversarialGap: Double? { hasClean && hasEnd ? meanLoss(endLoss - cleanLoss) : nil }

    var normSum = 0.0, surfaceCount = 0
    /// Weights of the examples' classes; their number without class weights.
    var weightSum = 0.0
    var startLoss = 0.0, endLoss = 0.0, cleanLoss = 0.0
    var hasStart = false, hasEnd = false, hasClean = false

    private func meanLoss(_ sum: Double) -> Double { weightSum > 0 ? sum / weightSum : 0 }
    private func mean(_ sum: Double) -> Double { perturbedExamples > 0 ? sum / Double(perturbedExamples) : 0 }
}
