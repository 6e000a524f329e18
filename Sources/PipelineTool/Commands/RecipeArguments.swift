import ArgumentParser
import Foundation
import Optimizers
import Pipeline

/// `--recipe` and `--set`.
struct RecipeArguments: ParsableArguments {
    @Option(
        name: .customLong("recipe"),
        help: ArgumentHelp(
            "A recipe's name (\(RecipeCatalogue.names.joined(separator: ", "))) or a YAML file of keys. Default: adamw.",
            valueName: "recipe"))
    var recipes: [String] = []

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("A key of the recipe; wins over the file. May be repeated.", valueName: "key=value"))
    var settings: [String] = []

    private var recipe: String? { recipes.first }

    func validate() throws {
        guard recipes.count > 1 else { return }
        let settings = recipes.dropFirst().compactMap { name in
            RecipeCatalogue.row(named: name).map { $0.values.sorted { $0.key < $1.key }.map { "--set \($0.key)=\($0.value)" }.joined(separator: " ") }
        }
        throw ValidationError(
            "--recipe is given \(recipes.count == 2 ? "twice" : "\(recipes.count) times"). Give it once, and what else is wanted by --set"
                + (settings.count == recipes.count - 1 ? ": --recipe \(recipes[0]) \(settings.joined(separator: " "))" : "."))
    }

    /// - Throws: `PipelineError`, `FormatError` or `OptimizerError` for a recipe that makes no sense.
    func resolve() throws -> Recipe {
        let (values, origins) = try given()
        return try Self.placing(origins) { try Recipe(values) }
    }

    /// Runs `body` and gives what it throws about a key of a file that file's name and the line.
    static func placing<Result>(_ origins: [String: RecipeExplanation.Origin], _ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let error as PipelineError where error.code == .recipe {
            // The key that is wrong stands first, and what it does not go with after it; the kinds of pieces are in many sentences.
            let words = error.problem.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
            let kinds = ["objective", "optimizer"]
            let named = words.filter { !kinds.contains($0) } + words.filter(kinds.contains)
            guard let place = named.lazy.compactMap({ place(of: $0, origins) }).first else { throw error }
            throw PipelineError(error.code, "\(place): \(error.problem)", advice: error.advice)
        } catch let error as OptimizerError {
            guard case .invalidValue(let key, let found, let expected) = error, let place = place(of: key, origins) else { throw error }
            throw PipelineError(
                .recipe, "\(place): \(key) is '\(FormatError.printable(found))', not \(expected)",
                advice: "See 'pipeline recipes' for the keys and their values.")
        }
    }

    /// File and line of a key that came from a file.
    private static func place(of key: String, _ origins: [String: RecipeExplanation.Origin]) -> String? {
        guard case .file(let path)? = origins[key] else { return nil }
        let lines = (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n", omittingEmptySubsequences: false)
        let line = lines?.firstIndex {
            guard let colon = $0.firstIndex(of: ":") else { return false }
            return $0[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: " \t\"'")) == key
        }
        return path + (line.map { ", line \($0 + 1)" } ?? "")
    }

    /// What was set, and where.
    func given() throws -> (values: [String: HyperparameterValue], origins: [String: RecipeExplanation.Origin]) {
        var values: [String: HyperparameterValue] = [:]
        var named: String?
        var origin = RecipeExplanation.Origin.standard
        if let recipe {
            if let row = RecipeCatalogue.row(named: recipe) {
                values = row.values
                named = values["optimizer"] == .text(recipe) ? recipe : nil
                origin = .recipe(recipe)
            } else {
                values = try Self.read(recipe)
                origin = .file(recipe)
            }
        }
        var own: [String: HyperparameterValue] = [:]
        for setting in settings {
            guard let place = setting.firstIndex(of: "="), place != setting.startIndex else {
                throw PipelineError(
                    .usage, "--set \(FormatError.printable(setting)) has no key and value",
                    advice: "Write it as in --set learning_rate=2e-5.")
            }
            let key = String(setting[..<place])
            guard
                own.updateValue(
                    HyperparameterValue(parsing: String(setting[setting.index(after: place)...])), forKey: key) == nil
            else {
                throw PipelineError(
                    .usage, "--set \(FormatError.printable(key)) is given twice", advice: "Give it once.")
            }
        }
        if let named, let other = own["optimizer"], other.text != named {
            throw PipelineError(
                .usage,
                "--recipe \(named) and --set optimizer=\(FormatError.printable("\(other)")) contradict each other",
                advice: "Give one of them.")
        }
        // The two ways to say how long: the nearer one counts.
        if own["steps"] != nil { values["epochs"] = nil }
        if own["epochs"] != nil { values["steps"] = nil }
        let origins = values.mapValues { _ in origin }.merging(own.mapValues { _ in .option }) { $1 }
        return (values.merging(own) { $1 }, origins)
    }

    /// The options as they were typed.
    var words: [String] { (recipe.map { ["--recipe", $0] } ?? []) + settings.flatMap { ["--set", $0] } }

    private static func read(_ path: String) throws -> [String: HyperparameterValue] {
        let isPath =
            path.contains("/") || path.hasSuffix(".yaml") || path.hasSuffix(".yml")
            || FileManager.default.fileExists(atPath: path)
        guard isPath else {
            throw PipelineError(
                .recipe, "there is no recipe '\(FormatError.printable(path))'",
                advice: "Known are \(RecipeCatalogue.names.joined(separator: ", ")); a file of keys ends with .yaml.")
        }
        let reader = try LineReader(URL(fileURLWithPath: path))
        var text = ""
        while let line = try reader.nextText() { text += line + "\n" }
        return try Recipe.values(yaml: text, file: path)
    }
}
