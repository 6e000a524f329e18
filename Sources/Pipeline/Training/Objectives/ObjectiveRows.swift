import Models
import Optimizers
import Tensors

extension ObjectiveRow {
    static let plain = ObjectiveRow(name: "plain", summary: "the task's loss", keys: []) { _ in nil }

    static let scala = ObjectiveRow(
        name: "scala",
        summary: "loss at embeddings with noise that climbs it (after the abstract of ScaLA; the rest is our reconstruction)",
        keys: [
            .choice("noise_mode", "label", among: ["label", "clean-kl"],
                    "what the noise climbs: the loss of the labels, or the divergence from the output without noise"),
            .klWeight("weight of the divergence with noise_mode clean-kl"),
            .ascentSteps,
            .share("noise_delay", 0.5, "share of the steps before the first one with noise"),
        ] + RecipeKey.noise("scaled-uniform", "l2", step: 0.1) + [.noiseRadius]
    ) { constants in
        let noise = try constants.noise(ascentSteps: Int(constants["ascent_steps"]), radius: constants["noise_radius"])
        let delay = constants["noise_delay"]
        guard constants.text("noise_mode") == "clean-kl" else { return try .scala(noise: noise, delay: delay) }
        return try .scalaCleanKL(noise: noise, weight: constants["kl_weight"], delay: delay)
    }

    static let freelb = ObjectiveRow(
        name: "freelb",
        summary: "mean loss over several passes with noise that climbs between them; every pass gives a gradient (FreeLB)",
        keys: [.count("passes", 3, "K, passes of a step", from: 1, through: 101)]
            + RecipeKey.noise("scaled-uniform", "l2", step: 0.1) + [.noiseRadius]
    ) { constants in
        try .freeLB(noise: constants.noise(ascentSteps: Int(constants["passes"]) - 1, radius: constants["noise_radius"]))
    }

    static let smart = ObjectiveRow(
        name: "smart",
        summary: "loss, and divergence of the outputs at noise that climbs it (SMART without its proximal step)",
        keys: [.klWeight("α, weight of the divergence"), .ascentSteps] + RecipeKey.noise("normal", "linf", step: 1e-3)
    ) { constants in
        try .smart(noise: constants.noise(ascentSteps: Int(constants["ascent_steps"]), radius: .infinity),
                   weight: constants["kl_weight"])
    }

    static let r3f = ObjectiveRow(
        name: "r3f",
        summary: "loss, and divergence of the outputs at random noise (R3F)",
        keys: [.klWeight("λ, weight of the divergence")] + RecipeKey.randomNoise("uniform")
    ) { constants in
        try .r3f(initialization: constants.initialization, weight: constants["kl_weight"],
                 place: NoisePlace(rawValue: constants.text("noise_place"))!, share: constants["noise_share"],
                 interval: Int(constants["noise_interval"]))
    }
}

extension RecipeKey {
    fileprivate static func share(_ name: String, _ value: Double, _ explanation: String) -> RecipeKey {
        .real(name, value, explanation, expecting: "a number from 0 to 1") { (0...1).contains($0) }
    }

    fileprivate static func size(_ name: String, _ value: Double, _ explanation: String) -> RecipeKey {
        .real(name, value, explanation, expecting: "a number of at least 0") { $0 >= 0 }
    }

    fileprivate static func klWeight(_ explanation: String) -> RecipeKey { .size("kl_weight", 1, explanation) }
    fileprivate static let ascentSteps = RecipeKey.count("ascent_steps", 1, "T, steps that the noise climbs", from: 0, through: 100)
    fileprivate static let noiseRadius = RecipeKey.size("noise_radius", 0.3, "ω, radius of the ball that noise stays in")

    /// The keys of noise that does not climb.
    fileprivate static func randomNoise(_ initialization: String) -> [RecipeKey] {
        [
            .choice("noise_place", NoisePlace.word.rawValue, among: NoisePlace.allCases.map(\.rawValue),
                    "where it is added: to the word embeddings, or after the embeddings' LayerNorm"),
            .choice("noise_init", initialization, among: ["scaled-uniform", "uniform", "normal", "zero"],
                    "how it starts: uniform by the root of length times width, uniform, normal, or at zero"),
            .size("noise_size", initialization == "scaled-uniform" ? 0.1 : 1e-5,
                  "size of the start; 0.1 with noise_init scaled-uniform, 1e-5 with uniform and normal"),
            .share("noise_share", 1, "share of the examples that get noise"),
            .count("noise_interval", 1, "every n-th step has noise", from: 1, through: 1_000_000),
        ]
    }

    /// The keys of noise that climbs.
    fileprivate static func noise(_ initialization: String, _ norm: String, step: Double) -> [RecipeKey] {
        randomNoise(initialization) + [
            .choice("noise_norm", norm, among: NoiseSettings.Norm.allCases.map(\.rawValue),
                    "how it is measured: l2 of an example, or linf, the largest element, of each token"),
            .size("noise_step", step, "ρ, length of a step"),
        ]
    }
}
