import Foundation
import Optimizers
import Store
import Tensors
import Yams

/// How to adapt: every constant of a training run but model, data and seed.
///
/// Keys of the optimizer belong to the `Optimizers` catalogue; the rest is here. A resolved recipe has a value for every key, so
/// that its canonical form identifies the run whatever was written and whatever was left to defaults.
public struct Recipe: Sendable {
    public let optimizer: OptimizerRecipe
    /// What is descended on.
    public let objective: ObjectiveRecipe
    /// ρ of sharpness-aware descent; 0 is without it.
    public let sharpnessRadius: Double
    /// Examples an update.
    public let batchSize: Int
    /// Exactly one of the two counts; the other follows from the data.
    public let length: Length
    /// Overrides all dropouts of the model's configuration; nil keeps them.
    public let dropout: Float?
    /// One weight for each class; empty for none.
    public let classWeights: [Float]
    /// Number format of matrix products.
    public let precision: Precision
    /// Tokens that are in memory at a time. A batch of more is accumulated.
    public let microBatchTokens: Int
    public let evaluation: Evaluation
    /// Evaluations without a better metric after which training ends; 0 never.
    public let patience: Int
    public let selection: Selection

    public enum Length: Hashable, Sendable {
        case epochs(Double)
        case steps(Int)
    }

    /// When the development split is looked at.
    public enum Evaluation: Hashable, Sendable {
        case everyEpoch
        case every(steps: Int)
        case atEnd
        case never
    }

    /// Which weights become the adapted model.
    public enum Selection: String, Hashable, Sendable, CaseIterable { case best, last }

    /// A key outside the optimizer: name, default as text, meaning.
    public struct Key: Sendable {
        public let name: String
        public let defaultText: String
        public let explanation: String
    }

    public static let keys: [Key] = [
        Key(name: "optimizer", defaultText: "adamw", explanation: "the update rule: \(Catalogue.names.joined(separator: ", "))"),
        Key(name: "objective", defaultText: "plain", explanation: "what is descended on: \(ObjectiveCatalogue.names.joined(separator: ", "))"),
        Key(name: "sharpness_radius", defaultText: "0", explanation: "ρ of sharpness-aware descent (SAM); 0 is without it"),
        Key(name: "batch_size", defaultText: "32", explanation: "examples an update"),
        Key(name: "epochs", defaultText: "3", explanation: "passes over the training split; may be a fraction"),
        Key(name: "steps", defaultText: "", explanation: "updates, instead of epochs"),
        Key(name: "dropout", defaultText: "", explanation: "overrides all dropout rates of the model; empty keeps them"),
        Key(name: "class_weights", defaultText: "[]", explanation: "weight of each class in the loss, or 'balanced'"),
        Key(name: "precision", defaultText: "",
            explanation: "number format of matrix products: \(Precision.names); empty takes the faster one here, fp32 for line searches"),
        Key(name: "micro_batch_tokens", defaultText: "2048", explanation: "tokens in memory at a time; larger batches accumulate"),
        Key(name: "evaluate", defaultText: "epoch", explanation: "when to evaluate: epoch, end, never, or a number of steps"),
        Key(name: "patience", defaultText: "0", explanation: "evaluations without improvement that end the run; 0 never"),
        Key(name: "select", defaultText: "best", explanation: "weights to keep: best (by the task's metric) or last"),
    ]

    /// The text that asks for weights inverse to the classes' frequencies.
    static let balanced = "balanced"
    let balancesClasses: Bool

    /// Resolves what a user gave; everything else takes its default.
    ///
    /// - Throws: `PipelineError` with code `recipe`, or `OptimizerError`, naming the known keys or values.
    public init(_ given: [String: HyperparameterValue]) throws {
        var rest = given
        func take(_ key: String) -> HyperparameterValue? { rest.removeValue(forKey: key) }
        func refuse(_ key: String, _ value: HyperparameterValue, _ expected: String) -> PipelineError {
            PipelineError(.recipe, "\(key) cannot be '\(FormatError.printable("\(value)"))'", advice: "It takes \(expected).")
        }
        func count(_ key: String, _ fallback: Int, from least: Int, through most: Int = 1 << 30) throws -> Int {
            guard let value = take(key) else { return fallback }
            guard let number = value.number, let count = Int(exactly: number), count >= least, count <= most else {
                throw refuse(key, value, "a whole number of at least \(least), at most \(most)")
            }
            return count
        }
        let name = try take("optimizer").map { value -> String in
            guard let text = value.text else { throw refuse("optimizer", value, "one of \(Catalogue.names.joined(separator: ", "))") }
            return text
        } ?? "adamw"
        let row = try Catalogue.row(named: name)
        let objectiveName = try take("objective").map { value -> String in
            guard let text = value.text else {
                throw refuse("objective", value, "one of \(ObjectiveCatalogue.names.joined(separator: ", "))")
            }
            return text
        } ?? "plain"
        let objectiveRow = try ObjectiveCatalogue.row(named: objectiveName)
        objective = try objectiveRow.resolve(rest.filter { key, _ in objectiveRow.keys.contains { $0.name == key } })
        for key in objectiveRow.keys { rest[key.name] = nil }
        let radius = take("sharpness_radius") ?? 0
        guard let rho = radius.number, rho >= 0, rho.isFinite else { throw refuse("sharpness_radius", radius, "a number of at least 0") }
        sharpnessRadius = rho
        batchSize = try count("batch_size", 32, from: 1)
        switch (take("epochs"), take("steps")) {
        case (let epochs?, let steps?):
            throw PipelineError(.recipe, "both epochs (\(epochs)) and steps (\(steps)) are given", advice: "Give one of them.")
        case (nil, let value?):
            guard let number = value.number, let steps = Int(exactly: number), steps >= 1 else {
                throw refuse("steps", value, "a whole number of at least 1")
            }
            length = .steps(steps)
        case (let value, nil):
            guard let value else { length = .epochs(3); break }
            guard let epochs = value.number, epochs > 0, epochs <= 1e6 else { throw refuse("epochs", value, "a number above 0") }
            length = .epochs(epochs)
        }
        dropout = try take("dropout").flatMap { value in
            if value.text == "" { return nil }
            guard let rate = value.number, rate >= 0, rate < 1 else { throw refuse("dropout", value, "a rate of at least 0 and below 1") }
            return Float(rate)
        }
        let weights = take("class_weights")
        balancesClasses = weights?.text == Self.balanced
        classWeights = try balancesClasses ? [] : weights.map { value in
            let numbers = (value.list ?? [value]).map(\.number)
            guard numbers.allSatisfy({ $0.map { $0 >= 0 && $0.isFinite } ?? false }), numbers.isEmpty || numbers.contains(where: { $0! > 0 }) else {
                throw refuse("class_weights", value, "a list of numbers of at least 0, one of them above 0, or 'balanced'")
            }
            return numbers.compactMap { $0.map { Float($0) } }
        } ?? []
        let format = try take("precision").flatMap { value -> Precision? in
            if value.text == "" { return nil }
            guard let known = value.text.flatMap(Precision.init(rawValue:)) else { throw refuse("precision", value, Precision.names) }
            return known
        }
        microBatchTokens = try count("micro_batch_tokens", 2048, from: 1)
        switch take("evaluate") ?? "epoch" {
        case "epoch": evaluation = .everyEpoch
        case "end": evaluation = .atEnd
        case "never": evaluation = .never
        case let value:
            guard let number = value.number, let steps = Int(exactly: number), steps >= 1 else {
                throw refuse("evaluate", value, "epoch, end, never, or a number of steps")
            }
            evaluation = .every(steps: steps)
        }
        patience = try count("patience", 0, from: 0)
        if patience > 0, evaluation == .atEnd || evaluation == .never {
            throw PipelineError(.recipe, "patience means nothing with evaluate=\(evaluation == .never ? "never" : "end")",
                                advice: "Set evaluate=epoch or a number of steps, or leave patience out.")
        }
        let select = take("select") ?? "best"
        guard let selection = select.text.flatMap(Selection.init(rawValue:)) else {
            throw refuse("select", select, Selection.allCases.map(\.rawValue).joined(separator: " or "))
        }
        self.selection = selection
        let rowKeys = (row.keys + row.conditionalKeys).map(\.name)
        for key in rest.keys.sorted() where !rowKeys.contains(key) {
            func refuseForeign(_ owners: [String], _ piece: String, _ own: String) throws {
                guard let last = owners.last else { return }
                let all = owners.count > 1 ? owners.dropLast().joined(separator: ", ") + " and " + last : last
                throw PipelineError(.recipe, "\(key) is a key of \(all), and the \(piece) is \(own)",
                                    advice: "Leave the key out, or take another recipe or \(piece).")
            }
            try refuseForeign(ObjectiveCatalogue.rows.filter { $0.keys.contains { $0.name == key } }.map(\.name), "objective", objectiveName)
            try refuseForeign(Catalogue.rows.filter { ($0.keys + $0.conditionalKeys).contains { $0.name == key } }.map(\.name), "optimizer", name)
            let known = (Self.keys.map(\.name) + rowKeys + objectiveRow.keys.map(\.name)).joined(separator: ", ")
            throw PipelineError(.recipe, "there is no recipe key '\(FormatError.printable(key))'", advice: "Known keys with \(name): \(known).")
        }
        optimizer = try row.resolve(rest)
        // The second gradient would move the noise that the first one found, and with it the function that is searched.
        if sharpnessRadius > 0, optimizer.triesSteps, let noise = objective.settings?.noise, noise.ascentSteps > 0 {
            throw PipelineError(.recipe, "sharpness_radius, a search and noise that climbs do not go together: trials need the noise of one gradient",
                                advice: "Leave one of them out.")
        }
        // Resolved to a name, so that it is a part of the run's identity. A search compares losses, in float32: there the
        // bfloat16 gradient costs one more forward pass.
        precision = format ?? (optimizer.triesSteps ? .fp32 : .fastest)
    }

    /// Every constant in canonical form: what the run's key is made of.
    var canonical: JSONValue {
        var members = optimizer.values.mapValues(JSONValue.init)
        members.merge(objective.values.mapValues(JSONValue.init)) { _, new in new }
        members["optimizer"] = .string(optimizer.name)
        members["objective"] = .string(objective.name)
        members["sharpness_radius"] = .number(sharpnessRadius)
        members["batch_size"] = .integer(Int64(batchSize))
        switch length {
        case .epochs(let epochs): members["epochs"] = .number(epochs)
        case .steps(let steps): members["steps"] = .integer(Int64(steps))
        }
        members["dropout"] = dropout.map { .number(Double($0)) } ?? .null
        members["class_weights"] = balancesClasses ? .string(Self.balanced) : .array(classWeights.map { .number(Double($0)) })
        members["precision"] = .string(precision.rawValue)
        members["micro_batch_tokens"] = .integer(Int64(microBatchTokens))
        members["evaluate"] = switch evaluation {
        case .everyEpoch: "epoch"
        case .every(let steps): .integer(Int64(steps))
        case .atEnd: "end"
        case .never: "never"
        }
        members["patience"] = .integer(Int64(patience))
        members["select"] = .string(selection.rawValue)
        return .object(members)
    }

    /// Reads a recipe file: one YAML mapping of keys to plain values or lists.
    ///
    /// - Throws: `FormatError` with the line; the keys themselves are judged by `init`.
    public static func values(yaml text: String, file: String) throws -> [String: HyperparameterValue] {
        func fault(_ problem: String, line: Int? = nil, found: String? = nil) -> FormatError {
            FormatError(.recipeSyntax, file: file, line: line, problem, found: found,
                        advice: "Write one 'key: value' a line, as in 'learning_rate: 2e-5'.")
        }
        let node: Node?
        do { node = try Yams.compose(yaml: text) } catch let error as YamlError {
            switch error {
            case .duplicatedKeysInMapping(let keys, let context):
                let key = keys.min() ?? ""
                let line = repeatedLine(of: key, in: text) ?? context.mark.line
                throw fault("the key '\(FormatError.printable(key))' stands twice", line: line)
            case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
                throw fault("the file is not YAML", line: mark.line, found: problem)
            case .reader(let problem, _, _, _): throw fault("the file is not YAML", found: problem)
            default: throw fault("the file is not YAML", found: "\(error)")
            }
        }
        guard let node else { return [:] }
        guard let mapping = node.mapping else { throw fault("a recipe is a list of keys with values") }
        var values: [String: HyperparameterValue] = [:]
        for (key, value) in mapping {
            guard let name = key.scalar?.string else { throw fault("a key is no plain text", line: key.mark?.line) }
            guard values[name] == nil else { throw fault("the key '\(name)' stands twice", line: key.mark?.line) }
            if let scalar = value.scalar {
                values[name] = HyperparameterValue(parsing: scalar.string)
            } else if let sequence = value.sequence {
                values[name] = .list(try sequence.map { item in
                    guard let scalar = item.scalar else { throw fault("'\(name)' holds lists inside a list", line: item.mark?.line) }
                    return HyperparameterValue(parsing: scalar.string)
                })
            } else { throw fault("'\(name)' is neither a value nor a list", line: value.mark?.line) }
        }
        return values
    }

    /// The line on which a key stands for the second time; the YAML reader names only where the mapping begins.
    private static func repeatedLine(of key: String, in text: String) -> Int? {
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated().filter { _, line in
            guard let colon = line.firstIndex(of: ":") else { return false }
            return line[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: " \t\"'")) == key
        }
        return lines.dropFirst().first.map { $0.offset + 1 }
    }
}

extension Recipe.Evaluation {
    /// How often it is due from an update on, itself included, through the last; epochs are taken as equally long.
    func count(from step: Int, through steps: Int, epochSteps: Int) -> Int {
        func ends(of interval: Int) -> Int {
            steps / interval - (step - 1) / interval + (steps.isMultiple(of: interval) ? 0 : 1)
        }
        return switch self {
        case .never: 0
        case .atEnd: 1
        case .everyEpoch: ends(of: epochSteps)
        case .every(let interval): ends(of: interval)
        }
    }
}

extension JSONValue {
    init(_ value: HyperparameterValue) {
        self = switch value {
        case .flag(let flag): .bool(flag)
        case .integer(let integer): .integer(Int64(integer))
        case .real(let real): .number(real)
        case .text(let text): .string(text)
        case .list(let list): .array(list.map(JSONValue.init))
        }
    }
}
