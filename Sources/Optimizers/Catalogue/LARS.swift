extension CatalogueRow {
    /// clip → scale by LARS, decay included → accumulate momentum.
    static let lars = CatalogueRow(
        name: "lars",
        summary: "momentum on r·(g + wd·x), r = c·‖x‖/(‖g‖ + wd·‖x‖ + ε) per tensor (biases and LayerNorm: no decay, "
            + "r = c; a norm of 0: r = c)",
        keys: RecipeKey.common(learningRate: 1) + [
            .momentum,
            .weightDecay(1e-4, "share of the weights that is added to their gradient"),
            .real(
                "trust_coefficient", 1e-3, "share of its own norm that a tensor moves at learning rate 1",
                expecting: "a number above 0, at most 1000"
            ) { $0 > 0 && $0 <= 1000 },
            .epsilon(1e-8, "added to the norm that the trust ratio divides by"),
        ]
    ) { constants in
        var chain = constants.clipping
        chain.append(
            ScaleByLARS(
                trustCoefficient: constants["trust_coefficient"], weightDecay: constants["weight_decay"],
                epsilon: constants["epsilon"]))
        if constants["momentum"] > 0 { chain.append(AccumulateMomentum(constants["momentum"])) }
        return chain
    }
}
