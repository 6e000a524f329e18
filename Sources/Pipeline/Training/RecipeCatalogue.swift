import Optimizers

/// The recipes that have a name: short compositions of an optimizer, an objective and a few constants. A new one is a row.
///
/// What a row does not say takes its default, and all of it can be overridden: any objective goes with any optimizer.
public enum RecipeCatalogue {
    public static let rows: [NamedRecipe] = [
        NamedRecipe(name: "adamw", summary: "the usual fine-tuning", values: ["optimizer": "adamw"]),
        NamedRecipe(name: "adam", summary: "without decay", values: ["optimizer": "adam"]),
        NamedRecipe(name: "sgd", summary: "plain descent with momentum", values: ["optimizer": "sgd"]),
        NamedRecipe(name: "lamb", summary: "large batches", values: ["optimizer": "lamb", "batch_size": 1024]),
        NamedRecipe(name: "lars", summary: "large batches, a control", values: ["optimizer": "lars", "batch_size": 1024]),
        NamedRecipe(
            name: "scala", summary: "large batches with noise that climbs the loss",
            values: ["optimizer": "lamb", "batch_size": 1024, "objective": "scala"]),
        NamedRecipe(name: "freelb", summary: "several passes with climbing noise", values: ["objective": "freelb"]),
        NamedRecipe(name: "smart", summary: "outputs that hold still under climbing noise", values: ["objective": "smart"]),
        NamedRecipe(name: "r3f", summary: "outputs that hold still under random noise", values: ["objective": "r3f"]),
        NamedRecipe(name: "sgdsls", summary: "gradient descent, step size by line search", values: ["optimizer": "sgdsls"]),
        NamedRecipe(name: "adamsls", summary: "Adam's direction, step size by line search", values: ["optimizer": "adamsls"]),
        NamedRecipe(name: "plasls", summary: "the same with a step size for each part of the network", values: ["optimizer": "plasls"]),
        NamedRecipe(name: "alsals", summary: "Adam with momentum, smoothed line search", values: ["optimizer": "alsals"]),
        NamedRecipe(name: "salsa", summary: "smoothed line search that searches rarely", values: ["optimizer": "salsa"]),
        NamedRecipe(name: "sam", summary: "flat minima", values: ["sharpness_radius": 0.05]),
    ]

    public static var names: [String] { rows.map(\.name) }

    public static func row(named name: String) -> NamedRecipe? { rows.first { $0.name == name } }
}

/// A recipe by name: the keys that it sets.
public struct NamedRecipe: Sendable {
    public let name: String
    public let summary: String
    public let values: [String: HyperparameterValue]
}
