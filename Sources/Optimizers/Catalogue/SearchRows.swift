extension CatalogueRow {
    /// The plain gradient, searched as a whole.
    static let sgdsls = CatalogueRow(
        name: "sgdsls", summary: "SGDSLS: gradient descent with Armijo's line search over the whole network",
        keys: RecipeKey.armijo() + RecipeKey.layers + [
            .real(
                "momentum", 0, "share of the last step that goes on, inside the direction",
                expecting: "a number of at least 0 and below 1"
            ) { (0..<1).contains($0) }, .searchDecay,
        ], search: .armijo
    ) { constants in
        (constants["momentum"] > 0 ? [AccumulateMomentum(constants["momentum"])] : [])
            + [DecoupledDecay(constants["weight_decay"])]
    }

    /// Adam without momentum, searched as a whole.
    static let adamsls = CatalogueRow(
        name: "adamsls", summary: "ADAMSLS: Adam's direction without momentum, Armijo's line search over the whole network",
        keys: RecipeKey.armijo() + RecipeKey.adamDirection(beta1: 0), search: .armijo
    ) { $0.adamDirection }

    /// Adam without momentum, with a step size for each unit.
    static let plasls = CatalogueRow(
        name: "plasls", summary: "PLASLS: ADAMSLS with a step size for each unit of the network, searched in turn",
        keys: RecipeKey.armijo() + RecipeKey.perUnit + RecipeKey.adamDirection(beta1: 0), search: .perUnitArmijo
    ) { $0.adamDirection }

    /// Adam with momentum, both sides of the condition smoothed, a search in every step.
    static let alsals = CatalogueRow(
        name: "alsals", summary: "ALSALS: Adam's direction with momentum, Armijo's condition between running means",
        keys: RecipeKey.armijo(c: 0.3, growth: 1 / 0.999, growthPeriod: 1)
            + RecipeKey.smoothed(smoothing: 0.99, longestInterval: 1) + RecipeKey.adamDirection(beta1: 0.9),
        search: .smoothedArmijo
    ) { $0.adamDirection }

    /// Adam without momentum, both sides smoothed, searches rarer as the step size settles.
    static let salsa = CatalogueRow(
        name: "salsa", summary: "SaLSA: Armijo's condition between running means, searched rarely once it has settled",
        keys: RecipeKey.armijo(c: 0.5, backtrack: 0.8, initialStep: 1, growth: 1.1, growthPeriod: 1)
            + RecipeKey.smoothed(smoothing: 0.9, longestInterval: 10) + RecipeKey.adamDirection(beta1: 0),
        search: .smoothedArmijo
    ) { $0.adamDirection }
}

extension RecipeKey {
    fileprivate static let searchDecay = weightDecay(
        0, "share of the weights that goes per unit of step size, after a step is accepted")

    fileprivate static func adamDirection(beta1: Double) -> [RecipeKey] {
        layers + [
            .memories("betas", [beta1, 0.999], "memory of the first and of the second moment; without the first at 0"),
            .epsilon(1e-8), .searchDecay,
        ]
    }
}

extension RecipeConstants {
    /// Adam's direction, without its first moment where that has no memory, and decoupled decay.
    fileprivate var adamDirection: [any GradientTransformation] {
        let (beta1, beta2) = betas
        let epsilon = self["epsilon"]
        let direction: any GradientTransformation =
            beta1 > 0
            ? ScaleByAdam(beta1: beta1, beta2: beta2, epsilon: epsilon)
            : ScaleByRootMeanSquare(beta: beta2, epsilon: epsilon)
        return [direction, DecoupledDecay(self["weight_decay"])]
    }
}
