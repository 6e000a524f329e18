/// The optimizers that a recipe can name. A new one is a file with its row and a line here.
public enum Catalogue {
    public static let rows: [CatalogueRow] = [.adamw, .adam, .sgd, .lamb, .lars]

    public static var names: [String] { rows.map(\.name) }

    /// - Throws: `OptimizerError.unknownOptimizer`, naming the known ones.
    public static func row(named name: String) throws -> CatalogueRow {
        guard let row = rows.first(where: { $0.name == name }) else {
            throw OptimizerError.unknownOptimizer(found: name, known: names)
        }
        return row
    }
}

/// An optimizer by name: what it is, which keys it has with which defaults, and how it is composed.
public struct CatalogueRow: Sendable {
    public let name: String
    /// One line.
    public let summary: String
    public let keys: [RecipeKey]
    let compose: @Sendable (RecipeConstants) -> [any GradientTransformation]

    /// Every constant of the optimizer: the given values in canonical form, defaults for the rest.
    ///
    /// - Throws: `OptimizerError.unknownKey` or `.invalidValue`.
    public func resolve(_ values: [String: HyperparameterValue]) throws -> OptimizerRecipe {
        let polynomial = values["schedule"] == "polynomial"
        let keys = keys + (polynomial ? RecipeKey.polynomial : [])
        for name in values.keys.sorted() where !keys.contains(where: { $0.name == name }) {
            if RecipeKey.polynomial.contains(where: { $0.name == name }) {
                throw OptimizerError.invalidValue(
                    key: name, found: "schedule \(values["schedule"] ?? "linear")", expected: "schedule polynomial")
            }
            throw OptimizerError.unknownKey(
                optimizer: self.name, found: name, known: (self.keys + RecipeKey.polynomial).map(\.name))
        }
        var resolved: [String: HyperparameterValue] = [:]
        for key in keys { resolved[key.name] = try key.resolve(values[key.name] ?? key.defaultValue) }
        let constants = RecipeConstants(values: resolved)
        if polynomial, constants["schedule_end"] >= constants["learning_rate"] {
            throw OptimizerError.invalidValue(
                key: "schedule_end", found: "\(constants["schedule_end"])",
                expected: "less than learning_rate \(constants["learning_rate"])")
        }
        return OptimizerRecipe(row: self, constants: constants)
    }
}

/// Resolved constants by key.
struct RecipeConstants: Hashable, Sendable {
    let values: [String: HyperparameterValue]

    subscript(name: String) -> Double {
        guard let number = values[name]?.number else { preconditionFailure("\(name) is not a number key") }
        return number
    }

    func flag(_ name: String) -> Bool {
        guard let flag = values[name]?.flag else { preconditionFailure("\(name) is not a flag key") }
        return flag
    }

    var betas: (Double, Double) {
        guard let list = values["betas"]?.list?.compactMap(\.number), list.count == 2 else {
            preconditionFailure("betas is not a key")
        }
        return (list[0], list[1])
    }

    /// Clipping where it is on: the start of every chain.
    var clipping: [any GradientTransformation] {
        self["max_grad_norm"] > 0 ? [ClipByGlobalNorm(self["max_grad_norm"])] : []
    }
}
