extension CatalogueRow {
    /// clip → scale by Adam.
    static let adam = CatalogueRow(
        name: "adam",
        summary: "Adam without weight decay, equal to torch.optim.Adam",
        keys: RecipeKey.common(learningRate: 2e-5) + [.betas, .epsilon(1e-8)]
    ) { constants in
        let (beta1, beta2) = constants.betas
        return constants.clipping + [ScaleByAdam(beta1: beta1, beta2: beta2, epsilon: constants["epsilon"])]
    }
}
