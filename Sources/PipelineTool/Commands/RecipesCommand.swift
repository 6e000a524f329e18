import ArgumentParser
import Optimizers
import Pipeline
import Store

struct RecipesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recipes", abstract: "Lists the recipes and the keys of a recipe.",
        discussion: """
              pipeline recipes
              pipeline recipes scala
            """)

    @Argument(help: ArgumentHelp("Only this recipe.", valueName: "recipe"))
    var recipe: String?

    @OptionGroup var common: CommonOptions

    func run() throws {
        let named = try recipe.map { [try Self.find($0)] } ?? RecipeCatalogue.rows
        func used(_ key: String, _ name: String) -> Bool {
            recipe == nil || (named[0].values[key]?.text ?? (key == "optimizer" ? "adamw" : "plain")) == name
        }
        let optimizers = Catalogue.rows.filter { used("optimizer", $0.name) }
        let objectives = ObjectiveCatalogue.rows.filter { used("objective", $0.name) }
        if common.json {
            let json: JSONValue = [
                "recipes": .array(
                    named.map { row in
                        [
                            "name": .string(row.name), "summary": .string(row.summary),
                            "values": .object(row.values.mapValues { .string("\($0)") }),
                        ]
                    }),
                "keys": .array(Recipe.keys.map { Self.json($0.name, $0.defaultText, $0.explanation) }),
                "optimizers": .array(optimizers.map { Self.json($0.name, $0.summary, Self.keys($0)) }),
                "objectives": .array(objectives.map { Self.json($0.name, $0.summary, $0.keys) }),
            ]
            return try StandardOutput.write(json.canonicalText() + "\n")
        }
        var text = "recipes, and the keys that they set\n"
        text += Self.table(
            named.map { row in
                (row.name, row.summary, row.values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " "))
            })
        text += "\nkeys of every recipe, with their defaults\n"
        text += Self.table(Recipe.keys.map { ($0.name, $0.defaultText, $0.explanation) })
        for row in optimizers { text += "\noptimizer \(row.name): \(row.summary)\n" + Self.table(Self.keys(row)) }
        for row in objectives where !row.keys.isEmpty {
            text += "\nobjective \(row.name): \(row.summary)\n" + Self.table(row.keys)
        }
        if !common.quiet {
            text += "\nnext: pipeline adapt --model MODEL --data DATA --name RUN --recipe \(named[0].name)\n"
        }
        try StandardOutput.write(text)
    }

    private static func find(_ name: String) throws -> NamedRecipe {
        guard let row = RecipeCatalogue.row(named: name) else {
            throw PipelineError(
                .recipe, "there is no recipe '\(FormatError.printable(name))'",
                advice: "Known are \(RecipeCatalogue.names.joined(separator: ", ")).")
        }
        return row
    }

    /// With those that come in with the polynomial schedule or a line search.
    private static func keys(_ row: CatalogueRow) -> [RecipeKey] { row.keys + row.conditionalKeys }

    private static func json(_ name: String, _ value: String, _ explanation: String) -> JSONValue {
        ["name": .string(name), "default": .string(value), "explanation": .string(explanation)]
    }

    private static func json(_ name: String, _ summary: String, _ keys: [RecipeKey]) -> JSONValue {
        [
            "name": .string(name), "summary": .string(summary),
            "keys": .array(keys.map { json($0.name, "\($0.defaultValue)", $0.explanation) }),
        ]
    }

    private static func table(_ keys: [RecipeKey]) -> String {
        table(keys.map { ($0.name, "\($0.defaultValue)", $0.explanation) })
    }

    private static func table(_ keys: [(String, String, String)]) -> String {
        var table = TextTable([.left, .left, .left])
        for key in keys { table.add(key.0, key.1, key.2) }
        return table.text
    }
}
