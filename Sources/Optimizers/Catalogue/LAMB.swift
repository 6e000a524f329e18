extension CatalogueRow {
    /// clip → scale by Adam → add decayed weights → scale by trust ratio.
    static let lamb = CatalogueRow(
        name: "lamb",
        summary: "Adam's bias-corrected direction plus decay, scaled per tensor by ‖x‖/‖u‖ (biases and LayerNorm: "
            + "no decay, no scaling; a norm of 0: no scaling), as timm's Lamb at a decay above 0",
        keys: RecipeKey.common(learningRate: 1e-3) + [
            .betas, .epsilon(1e-6), .weightDecay(0.01, "share of the weights that is added to the direction"), .trustClip,
        ]
    ) { constants in
        let (beta1, beta2) = constants.betas
        return constants.clipping + [
            ScaleByAdam(beta1: beta1, beta2: beta2, epsilon: constants["epsilon"]),
            AddDecayedWeights(constants["weight_decay"]),
            ScaleByTrustRatio(clip: constants.trustClip),
        ]
    }
}

extension RecipeKey {
    /// Least and greatest trust ratio; empty where it is not bounded.
    static let trustClip = RecipeKey(
        name: "trust_clip", defaultValue: [],
        explanation: "least and greatest trust ratio, as in 0.01,10; [] leaves it unbounded",
        expectation: "two numbers above 0, the smaller one first, as in 0.01,10, or []"
    ) { value in
        guard let list = value.list else { return nil }
        let bounds = list.compactMap(\.number).filter { $0 > 0 && $0.isFinite }
        guard bounds.count == list.count, bounds.isEmpty || bounds.count == 2, bounds == bounds.sorted() else { return nil }
        return .list(bounds.map { .real($0) })
    }
}

extension RecipeConstants {
    var trustClip: ClosedRange<Double>? {
        guard let bounds = values["trust_clip"]?.list?.compactMap(\.number), bounds.count == 2 else { return nil }
        return bounds[0]...bounds[1]
    }
}
