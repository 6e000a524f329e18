/// The optimizers that a recipe can name. A new one is a file with its row and a line here.
public enum Catalogue {
    public static let rows: [CatalogueRow] = [.adamw, .adam, .sgd, .lamb, .lars] + searches
    private static let searches: [CatalogueRow] = [.sgdsls, .adamsls, .plasls, .alsals, .salsa]

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
    /// The keys that it has unless another one brings more.
    public let keys: [RecipeKey]
    /// The search that belongs to the name; nil for an optimizer on a schedule, where the key `search` may choose one.
    var search: SearchKind?
    let compose: @Sendable (RecipeConstants) -> [any GradientTransformation]

    /// Every constant of the optimizer: the given values in canonical form, defaults for the rest.
    ///
    /// - Throws: `OptimizerError.unknownKey` or `.invalidValue`.
    public func resolve(_ values: [String: HyperparameterValue]) throws -> OptimizerRecipe {
        var values = values
        let kind = try chosenSearch(values)
        if search == nil, kind == .schedule { values["search"] = nil }
        let polynomial = kind == .schedule && values["schedule"] == "polynomial"
        let keys = activeKeys(kind) + (polynomial ? RecipeKey.polynomial : [])
        for name in values.keys.sorted() where !keys.contains(where: { $0.name == name }) {
            try refuse(name, kind: kind, schedule: values["schedule"])
        }
        var resolved: [String: HyperparameterValue] = [:]
        for key in keys { resolved[key.name] = try key.resolve(values[key.name] ?? key.defaultValue) }
        if let first = resolved["initial_step"]?.number, let most = resolved["max_step"]?.number, first > most {
            guard values["initial_step"] == nil else {
                throw OptimizerError.invalidValue(key: "initial_step", found: "\(first)", expected: "at most max_step, which is \(most)")
            }
            resolved["initial_step"] = .real(most)
        }
        let constants = RecipeConstants(values: resolved)
        if polynomial, constants["schedule_end"] >= constants["learning_rate"] {
            throw OptimizerError.invalidValue(
                key: "schedule_end", found: "\(constants["schedule_end"])",
                expected: "less than learning_rate \(constants["learning_rate"])")
        }
        // What would change nothing: taken with its default value, which files of all keys have, and refused with another.
        func refuseIdle(_ key: String, unless isUsed: Bool, _ expected: String) throws {
            guard !isUsed, let value = resolved[key], let known = keys.first(where: { $0.name == key }),
                  value != (try? known.resolve(known.defaultValue)) else { return }
            throw OptimizerError.invalidValue(key: key, found: "\(value)", expected: "its default, unless beside \(expected)")
        }
        try refuseIdle("nesterov", unless: resolved["momentum"]?.number ?? 0 > 0, "momentum above 0")
        try refuseIdle("batch_scaling", unless: resolved["reference_batch"]?.number ?? 0 > 0, "a reference_batch")
        for key in ["interval_betas", "always_search_steps"] {
            try refuseIdle(key, unless: resolved["max_search_interval"]?.number ?? 1 > 1, "a max_search_interval above 1")
        }
        try refuseIdle("growth_period", unless: resolved["growth"]?.number ?? 1 > 1, "growth above 1")
        for key in ["unit_order", "joint_steps", "merge_threshold", "whole_move"] { try refuseIdle(key, unless: resolved["units"] != 1, "units above 1") }
        if kind != .schedule, constants.flag("momentum_after_acceptance"), compose(constants).allSatisfy(\.alwaysDescends) {
            throw OptimizerError.invalidValue(
                key: "momentum_after_acceptance", found: "true",
                expected: "momentum in the direction (betas or momentum above 0), or false")
        }
        if kind == .perUnitArmijo, constants.flag("momentum_after_acceptance"), constants.values["whole_move"] == "search" {
            throw OptimizerError.invalidValue(
                key: "whole_move", found: "search", expected: "measure beside momentum_after_acceptance, whose step is not that of the trials")
        }
        if kind != .schedule, let decay = compose(constants).map(\.shrinkage).max(), decay * constants["max_step"] > 1 {
            throw OptimizerError.invalidValue(
                key: "weight_decay", found: "\(decay)",
                expected: "at most \(1 / constants["max_step"]), so that a step of max_step does not turn the weights around")
        }
        return OptimizerRecipe(row: self, searchKind: kind, constants: constants)
    }

    /// Keys that come in with other keys: those of the polynomial schedule, and `search` with the keys of each search.
    public var conditionalKeys: [RecipeKey] {
        guard search == nil else { return [] }
        var keys = RecipeKey.polynomial + [.search]
        for key in SearchKind.allCases.flatMap(\.keys) where !keys.contains(where: { $0.name == key.name }) {
            keys.append(key)
        }
        return keys
    }

    private func chosenSearch(_ values: [String: HyperparameterValue]) throws -> SearchKind {
        if let search { return search }
        guard let value = values["search"] else { return .schedule }
        guard let kind = try RecipeKey.search.resolve(value).text.flatMap(SearchKind.init(rawValue:)) else {
            preconditionFailure("every choice is a kind")
        }
        return kind
    }

    private func activeKeys(_ kind: SearchKind) -> [RecipeKey] {
        guard search == nil, kind != .schedule else { return keys }
        return [.search] + kind.keys + keys.filter { !RecipeKey.scheduleOnly.contains($0.name) }
    }

    private func refuse(_ name: String, kind: SearchKind, schedule: HyperparameterValue?) throws {
        guard search == nil, (keys + conditionalKeys).contains(where: { $0.name == name }) else {
            throw OptimizerError.unknownKey(
                optimizer: self.name, found: name, known: (keys + conditionalKeys).map(\.name))
        }
        let kinds = SearchKind.allCases.filter { other in activeKeys(other).contains { $0.name == name } }
        if kind == .schedule, kinds.isEmpty {
            throw OptimizerError.invalidValue(
                key: name, found: "schedule \(schedule ?? "linear")", expected: "schedule polynomial")
        }
        let expected = kinds.isEmpty ? [.schedule] : kinds
        throw OptimizerError.invalidValue(
            key: name, found: "search \(kind.rawValue)",
            expected: "search " + expected.map(\.rawValue).joined(separator: " or "))
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
    ///
    /// Nothing where a search tries steps: the length of a step is what it chooses.
    var clipping: [any GradientTransformation] {
        guard let maximum = values["max_grad_norm"]?.number, maximum > 0 else { return [] }
        return [ClipByGlobalNorm(maximum)]
    }
}
