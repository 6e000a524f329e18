import ArgumentParser
import Optimizers
import Pipeline
import Store

struct RecipesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recipes", abstract: "Lists the optimizers and the keys of a recipe.",
        discussion: """
              pipeline recipes
              pipeline recipes adamw
            """)

    @Argument(help: ArgumentHelp("Only this optimizer.", valueName: "recipe"))
    var recipe: String?

    @OptionGroup var common: CommonOptions

    func run() throws {
        let rows = try recipe.map { [try Catalogue.row(named: $0)] } ?? Catalogue.rows
        let json: JSONValue = [
            "keys": .array(Recipe.keys.map { Self.json($0.name, $0.defaultText, $0.explanation) }),
            "optimizers": .array(
                rows.map { row in
                    [
                        "name": .string(row.name), "summary": .string(row.summary),
                        "keys": .array(Self.keys(row).map { Self.json($0.name, "\($0.defaultValue)", $0.explanation) }),
                    ]
                }),
        ]
        if common.json { return try StandardOutput.write(json.canonicalText() + "\n") }
        var text = "keys of every recipe, with their defaults\n"
        text += Self.table(Recipe.keys.map { ($0.name, $0.defaultText, $0.explanation) })
        for row in rows {
            text += "\n\(row.name): \(row.summary)\n"
            text += Self.table(Self.keys(row).map { ($0.name, "\($0.defaultValue)", $0.explanation) })
        }
        if !common.quiet {
            text +=
                "\nnext: pipeline adapt --model MODEL --data DATA --name RUN --recipe \(rows[0].name)\n"
        }
        try StandardOutput.write(text)
    }

    /// With those that come in with the polynomial schedule or a line search.
    private static func keys(_ row: CatalogueRow) -> [RecipeKey] { row.keys + row.conditionalKeys }

    private static func json(_ name: String, _ value: String, _ explanation: String) -> JSONValue {
        ["name": .string(name), "default": .string(value), "explanation": .string(explanation)]
    }

    private static func table(_ keys: [(String, String, String)]) -> String {
        var table = TextTable([.left, .left, .left])
        for key in keys { table.add(key.0, key.1, key.2) }
        return table.text
    }
}
