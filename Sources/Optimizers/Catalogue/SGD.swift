extension CatalogueRow {
    /// clip → add decayed weights → accumulate momentum.
    static let sgd = CatalogueRow(
        name: "sgd",
        summary: "gradient descent with momentum and L2 decay (none on biases and LayerNorm), equal to torch.optim.SGD",
        keys: RecipeKey.common(learningRate: 1e-2) + [
            .momentum,
            .flag("nesterov", false, "look ahead along the momentum"),
            .weightDecay(0, "share of the weights that is added to their gradient"),
        ]
    ) { constants in
        var chain = constants.clipping
        if constants["weight_decay"] > 0 { chain.append(AddDecayedWeights(constants["weight_decay"])) }
        if constants["momentum"] > 0 {
            chain.append(AccumulateMomentum(constants["momentum"], nesterov: constants.flag("nesterov")))
        }
        return chain
    }
}
