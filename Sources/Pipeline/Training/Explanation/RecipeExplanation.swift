import Models
import Optimizers
import Store
import Tensors

/// A recipe as it will be run: every constant and where it comes from, the formulas of its pieces, what steps cost and what is in memory.
public struct RecipeExplanation: Sendable {
    /// Where a value was set.
    public enum Origin: Hashable, Sendable {
        case standard
        case recipe(String)
        case file(String)
        case option
    }

    public struct Constant: Sendable {
        public let name: String
        public let value: JSONValue
        /// What it would be if nobody set it; null where it would not be there.
        public let standard: JSONValue
        public let origin: Origin
        public let meaning: String
    }

    /// A part of the composition with its formula, a line each.
    public struct Piece: Sendable {
        public enum Role: String, Sendable { case objective, sharpness, direction, stepSize = "step_size" }

        public let role: Role
        public let name: String
        public let formula: [String]
    }

    /// Of a model with its data.
    public struct Run: Sendable {
        public let steps: Int
        public let epochSteps: Int
        public let epochs: Double
        public let parameters: Int
        public let trainedParameters: Int
        /// Of the training split.
        public let tokens: Int
        /// Units of a search with a step size each, each by its parts; empty for a schedule.
        public let units: [[String]]
        /// Constants of the step size as they are for this run.
        public let search: [(key: String, value: HyperparameterValue)]
        public let numericPath: String
    }

    public let constants: [Constant]
    public let pieces: [Piece]
    public let cost: ExpectedCost
    public let memory: ExpectedMemory
    /// Nil without model and data.
    public let run: Run?

    /// - Parameters:
    ///   - given: what was set, by key.
    ///   - origins: where each of these was set.
    /// - Throws: what `Recipe` throws.
    public init(_ given: [String: HyperparameterValue], origins: [String: Origin]) throws {
        try self.init(given, origins: origins, setup: nil)
    }

    fileprivate init(_ given: [String: HyperparameterValue], origins: [String: Origin], setup: (AdaptSetup, AdaptSetup.Work)?) throws {
        let recipe = try Recipe(given)
        constants = Self.constants(recipe, given, origins)
        let search: any LineSearch
        var plain = ExpectedPasses.plain
        if let (setup, work) = setup {
            plain = .plain(blocks: setup.adapted.configuration.layerCount, frozen: work.optimizer.rates.frozen)
            search = work.optimizer.search
            let layout = work.network.layout, trained = work.trainedEntries
            let units = search.partition?.units(of: trained.map(\.unit)) ?? []
            run = Run(
                steps: setup.steps, epochSteps: setup.order.batchCount(epoch: 0), epochs: setup.epochs(of: setup.steps),
                parameters: layout.parameterCount, trainedParameters: work.trainedParameterCount, tokens: setup.train.ids.count,
                units: units.map { $0.map(\.description) }, search: search.hyperparameters, numericPath: work.numericPath)
            memory = ExpectedMemory(recipe, setup.measures(of: work))
        } else {
            // The formulas have no step counts in them.
            search = recipe.optimizer.search(steps: 1, batch: recipe.batchSize)
            run = nil
            memory = ExpectedMemory(recipe, nil)
        }
        cost = ExpectedCost(recipe, search: search, steps: run?.steps, units: run?.units.count, plain: plain)
        pieces = Self.pieces(recipe, search)
    }

    private static func pieces(_ recipe: Recipe, _ search: any LineSearch) -> [Piece] {
        var pieces = [
            Piece(role: .objective, name: recipe.objective.name,
                  formula: recipe.objective.settings?.formula ?? AdversarialSettings.plainFormula)
        ]
        if recipe.sharpnessRadius > 0 {
            pieces.append(Piece(role: .sharpness, name: "sam", formula: SharpnessAwareObjective.formula(radius: recipe.sharpnessRadius)))
        }
        pieces += recipe.optimizer.transformations.map {
            Piece(role: .direction, name: type(of: $0).name, formula: $0.formula)
        }
        var stepSize = search.formula
        if let decay = recipe.optimizer.values["layer_decay"]?.number, decay < 1 {
            stepSize.append("a layer moves by η·\(decay)^k, with k = 0 for the head, 1 for the last block, blocks + 1 for the embeddings")
        }
        if recipe.sharpnessRadius > 0, recipe.optimizer.triesSteps {
            stepSize.append("f and its fall are those at w; g is the gradient of sam, so that −gᵀd is the slope of another function than f")
        }
        return pieces + [Piece(role: .stepSize, name: type(of: search).name, formula: stepSize)]
    }

    private static func constants(_ recipe: Recipe, _ given: [String: HyperparameterValue], _ origins: [String: Origin]) -> [Constant] {
        let values = recipe.canonical.objectValue ?? [:]
        var described: [(name: String, meaning: String)] = Recipe.keys.map { ($0.name, $0.explanation) }
        if let row = try? ObjectiveCatalogue.row(named: recipe.objective.name) { described += row.keys.map { ($0.name, $0.explanation) } }
        if let row = try? Catalogue.row(named: recipe.optimizer.name) {
            described += (row.keys + row.conditionalKeys).map { ($0.name, $0.explanation) }
        }
        var seen: Set<String> = []
        return described.compactMap { name, meaning in
            guard let value = values[name], seen.insert(name).inserted else { return nil }
            guard let origin = origins[name], given[name] != nil else {
                return Constant(name: name, value: value, standard: value, origin: .standard, meaning: meaning)
            }
            return Constant(name: name, value: value, standard: standard(name, given) ?? .null, origin: origin, meaning: meaning)
        }
    }

    /// The value of a key in the same recipe without it, or without all others where that makes no recipe.
    private static func standard(_ name: String, _ given: [String: HyperparameterValue]) -> JSONValue? {
        let others = given.filter { $0.key != name }
        guard let recipe = (try? Recipe(others)) ?? (try? Recipe([:])) else { return nil }
        return recipe.canonical.objectValue?[name]
    }
}

extension AdaptStage {
    /// Explains the recipe for the stage's model and data. Stores nothing and runs no step.
    public func explain(_ given: [String: HyperparameterValue], origins: [String: RecipeExplanation.Origin], _ context: StageContext) throws
        -> RecipeExplanation {
        let setup = try AdaptSetup(self, context)
        return try RecipeExplanation(given, origins: origins, setup: (setup, setup.makeWork(context)))
    }
}
