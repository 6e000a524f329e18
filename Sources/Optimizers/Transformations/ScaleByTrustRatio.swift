/// Gives every tensor a step in proportion to its own size: u ← r·u, r = ‖x‖₂/‖u‖₂ per tensor.
///
/// After `ScaleByAdam` and `AddDecayedWeights` this is LAMB. Of the variants in use it is this one:
///
/// * Both moments are corrected for their start inside u, before the norm is taken: u = m̂/(√v̂ + ε) + wd·x.
/// * Weight matrices and embeddings take part, whatever wd is. Biases and LayerNorm have no decay and r = 1.
/// * r = 1 where ‖x‖ or ‖u‖ is 0, so that a tensor of zeros moves; also where r is too large for float32.
/// * φ(‖x‖) = ‖x‖: the norm of the weights is not clipped. `clip` bounds the ratio where it is given; an r of 1 by
///   the two rules above stays 1.
///
/// Source: You et al., arXiv 1904.00962; the choices are those of `timm`'s `Lamb` at a decay above 0.
public struct ScaleByTrustRatio: TrustRatioScaling {
    public static let name = "trust-ratio"

    /// Least and greatest ratio; nil bounds nothing.
    public let clip: ClosedRange<Double>?

    public init(clip: ClosedRange<Double>? = nil) {
        precondition(clip.map { $0.lowerBound > 0 && $0.upperBound.isFinite } ?? true)
        self.clip = clip
    }

    public var hyperparameters: [(key: String, value: HyperparameterValue)] {
        [("trust_clip", .list(clip.map { [.real($0.lowerBound), .real($0.upperBound)] } ?? []))]
    }

    public var formula: [String] {
        let bounds = clip.map { ", at least \($0.lowerBound) and at most \($0.upperBound)" } ?? ""
        return [
            "u ← r·u        r = ‖x‖₂/‖u‖₂ of each tensor\(bounds)",
            "r = 1 for biases and LayerNorm, and where a norm is 0",
        ]
    }

    public var exemptFactor: Double { 1 }

    public func ratio(weights: Double, direction: Double) -> Double {
        let ratio = weights / direction
        guard weights > 0, direction > 0, ratio <= Double(Float.greatestFiniteMagnitude) else { return 1 }
        guard let clip else { return ratio }
        return min(max(ratio, clip.lowerBound), clip.upperBound)
    }

    public func operation(for step: StepContext) -> ((Chunk) -> Void)? {
        let factors = factors(for: step).map { Float($0) }
        return { chunk in
            let factor = factors[chunk.tensor]
            for i in 0..<chunk.count { chunk.output[i] = chunk.input[i] * factor }
        }
    }
}
