import Models
import Pipeline
import Store

/// What `adapt --explain` tells.
struct ExplanationReport {
    private let explanation: RecipeExplanation

    init(_ explanation: RecipeExplanation) { self.explanation = explanation }

    func report(next: String) -> Report { Report(json: json, text: text, next: next) }

    // MARK: JSON

    private var json: JSONValue {
        [
            "constants": .array(explanation.constants.map(Self.json)),
            "pieces": .array(
                explanation.pieces.map { piece in
                    [
                        "role": .string(piece.role.rawValue), "name": .string(piece.name),
                        "formula": .array(piece.formula.map { .string($0) }),
                    ]
                }),
            "passes": passes,
            "memory": [
                "items": .array(
                    explanation.memory.items.map { item in
                        ["name": .string(item.name), "size": .string(item.size), "bytes": Self.json(item.bytes)]
                    }),
                "bytes": Self.json(explanation.memory.bytes),
            ],
            "run": explanation.run.map(Self.json) ?? .null,
        ]
    }

    private static func json(_ constant: RecipeExplanation.Constant) -> JSONValue {
        var members: [String: JSONValue] = [
            "name": .string(constant.name), "value": constant.value, "default": constant.standard,
            "meaning": .string(constant.meaning), "source": .null,
        ]
        switch constant.origin {
        case .standard: members["set_by"] = "default"
        case .recipe(let name): (members["set_by"], members["source"]) = ("recipe", .string(name))
        case .file(let path): (members["set_by"], members["source"]) = ("file", .string(path))
        case .option: members["set_by"] = "option"
        }
        return .object(members)
    }

    private var passes: JSONValue {
        let cost = explanation.cost
        return [
            "plain_step": Self.json(cost.plainStep),
            "noise_step": cost.noiseStep.map { Self.json($0) } ?? .null,
            "noise_share": .number(cost.noiseShare),
            "mean_step": Self.json(cost.meanStep),
            "trials": cost.trials.map { trials in
                [
                    "forward": .number(trials.passes), "least": .number(trials.least),
                    "steady": JSONValue(finite: trials.steady),
                    "longest_interval": .integer(Int64(trials.longestInterval)), "per_unit": .bool(trials.isPerUnit),
                    "after_move": .number(trials.afterMove), "joint_steps": .integer(Int64(trials.jointSteps)),
                ]
            } ?? .null,
        ]
    }

    private static func json(_ passes: ExpectedPasses) -> JSONValue {
        [
            "forward": .number(passes.forward), "input_gradient": .number(passes.inputGradient),
            "weight_gradient": .number(passes.weightGradient), "plain_steps": .number(passes.plainSteps),
        ]
    }

    private static func json(_ run: RecipeExplanation.Run) -> JSONValue {
        [
            "steps": .integer(Int64(run.steps)), "epoch_steps": .integer(Int64(run.epochSteps)),
            "epochs": .number(run.epochs), "parameters": .integer(Int64(run.parameters)),
            "trained_parameters": .integer(Int64(run.trainedParameters)), "tokens": .integer(Int64(run.tokens)),
            "units": .array(run.units.map { .array($0.map { .string($0) }) }),
            "step_size": .object(
                Dictionary(uniqueKeysWithValues: run.search.map { ($0.key, .string("\($0.value)")) })),
            "numeric_path": .string(run.numericPath),
        ]
    }

    private static func json(_ bytes: Int?) -> JSONValue { bytes.map { .integer(Int64($0)) } ?? .null }

    // MARK: Text

    private var text: String {
        var text = "constants\n" + constants
        for role in [RecipeExplanation.Piece.Role.objective, .sharpness, .direction, .stepSize] {
            let pieces = explanation.pieces.filter { $0.role == role }
            guard !pieces.isEmpty else { continue }
            text += "\n" + Self.heading(role, pieces)
            for piece in pieces {
                if pieces.count > 1 { text += "  \(piece.name)\n" }
                for line in piece.formula { text += (pieces.count > 1 ? "    " : "  ") + line + "\n" }
            }
        }
        text += "\npasses of a token, in units of a plain step: one forward, one back to inputs, one back to weights\n" + cost
        text += "\nmemory\n" + memory
        if let run = explanation.run { text += "\nthis run\n" + facts(run) }
        return text
    }

    private static func heading(_ role: RecipeExplanation.Piece.Role, _ pieces: [RecipeExplanation.Piece]) -> String {
        switch role {
        case .objective: "objective: \(pieces[0].name)\n"
        case .sharpness: "gradient: \(pieces[0].name)\n"
        case .direction:
            "direction: the gradient g goes through \(pieces.map(\.name).joined(separator: ", ")) and comes out as u\n"
        case .stepSize: "step size: \(pieces[0].name)\n"
        }
    }

    private var constants: String {
        var table = TextTable([.left, .left, .left, .left])
        table.add("key", "value", "default", "set by")
        for constant in explanation.constants {
            let origin =
                switch constant.origin {
                case .standard: ""
                case .recipe(let name): "recipe \(name)"
                case .file(let path): path
                case .option: "--set"
                }
            table.add(constant.name, Self.plain(constant.value), Self.plain(constant.standard), origin)
        }
        return table.text
    }

    private static func plain(_ value: JSONValue) -> String {
        switch value {
        case .null: ""
        case .string(let text): text
        case .array(let items): "[" + items.map(plain).joined(separator: ", ") + "]"
        case .bool(let flag): "\(flag)"
        case .integer(let integer): "\(integer)"
        // Rates of dropout are float32.
        case .number(let number): Double(Float(number)) == number ? "\(Float(number))" : "\(number)"
        case .object: ""
        }
    }

    private var cost: String {
        let cost = explanation.cost
        var table = TextTable([.left, .right, .right, .right, .right])
        table.add("", "forward", "inputs", "weights", "plain steps")
        func add(_ name: String, _ p: ExpectedPasses) {
            table.add(
                [name] + [p.forward, p.inputGradient, p.weightGradient, p.plainSteps].map { NumberText.fixed($0, 3) })
        }
        if let noise = cost.noiseStep {
            add("a step without noise", cost.plainStep)
            add("a step with noise", noise)
            add("the mean of the run, \(NumberText.fixed(100 * cost.noiseShare, 1)) % of its steps with noise", cost.meanStep)
        } else {
            add("a step", cost.plainStep)
        }
        if let trials = cost.trials {
            func trial(_ name: String, _ count: Double) {
                add(name, ExpectedPasses(forward: count * trials.passes, inputGradient: 0, weightGradient: 0))
            }
            trial("trials, at least" + (trials.isPerUnit ? ", for each unit" : ""), trials.least)
            if let steady = trials.steady { trial("trials while the step size holds", steady) }
            if trials.longestInterval > 1 {
                trial("trials, at least, in one step of \(trials.longestInterval)", trials.least / Double(trials.longestInterval))
            }
            if trials.afterMove > 0 {
                trial("the loss after the move" + (trials.jointSteps > 0 ? " once the joint steps are over" : ""), trials.afterMove)
            }
        }
        return table.text
    }

    private var memory: String {
        var table = TextTable([.left, .right, .left])
        for item in explanation.memory.items {
            table.add(item.name, item.bytes.map { NumberText.bytes($0) } ?? "", item.size)
        }
        if let bytes = explanation.memory.bytes { table.add("together", NumberText.bytes(bytes), "") }
        return table.text
    }

    private func facts(_ run: RecipeExplanation.Run) -> String {
        let mean = explanation.cost.meanStep
        let tokens = run.epochs * Double(run.tokens)
        func millions(_ passes: Double) -> String { NumberText.rate(passes * tokens / 1e6) + " M" }
        var pairs = [
            ("steps", "\(NumberText.count(run.steps)), \(NumberText.count(run.epochSteps)) an epoch"),
            (
                "parameters",
                "\(NumberText.count(run.parameters)), of which \(NumberText.count(run.trainedParameters)) are trained"
            ),
            (
                "passes",
                "\(millions(mean.forward)) tokens forward, \(millions(mean.inputGradient)) back to inputs, "
                    + "\(millions(mean.weightGradient)) to weights" + (explanation.cost.trials == nil ? "" : ", and the trials")
            ),
        ]
        if run.units.count > 1 {
            pairs.append(("units", run.units.map { $0.joined(separator: " + ") }.joined(separator: " | ")))
        }
        for key in ["warmup_steps", "growth_period"] {
            guard let value = run.search.first(where: { $0.key == key })?.value else { continue }
            pairs.append((key == "warmup_steps" ? "warm-up" : "growth period", "\(value) steps"))
        }
        pairs.append(("computed by", run.numericPath))
        return TextTable.facts(pairs)
    }
}
