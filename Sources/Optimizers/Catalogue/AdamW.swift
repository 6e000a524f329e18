extension CatalogueRow {
    /// clip → scale by Adam, with decoupled weight decay.
    static let adamw = CatalogueRow(
        name: "adamw",
        summary: "Adam with decoupled weight decay (none on biases and LayerNorm), equal to torch.optim.AdamW",
        keys: RecipeKey.common(learningRate: 2e-5) + [
            .betas, .epsilon(1e-8), .weightDecay(0.01, "share of the weights that goes per unit of learning rate"),
        ]
    ) { constants in
        let (beta1, beta2) = constants.betas
        return constants.clipping + [
            ScaleByAdam(beta1: beta1, beta2: beta2, epsilon: constants["epsilon"]),
            DecoupledDecay(constants["weight_decay"]),
        ]
    }
}
