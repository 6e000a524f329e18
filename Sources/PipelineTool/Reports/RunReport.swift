import Pipeline
import Store

/// What an adaptation came to.
struct RunReport {
    private let result: AdaptStage.Result
    private let log: RunLog
    private let dataset: PreparedDataset
    private let constantLoss: Double?
    private let recipe: Recipe

    init(_ result: AdaptStage.Result, _ log: RunLog, dataset: PreparedDataset, recipe: Recipe) {
        (self.result, self.log, self.dataset) = (result, log, dataset)
        constantLoss = dataset.constantLoss(recipe)
        self.recipe = recipe
    }

    func report(name: String, next: String) -> Report {
        Report(json: json(name), text: text(name), next: next)
    }

    private func json(_ name: String) -> JSONValue {
        let record = result.record
        return [
            "run": .string(result.run.description), "model": .string(record.model.description), "name": .string(name),
            "task": .string(dataset.task.name), "steps": .integer(Int64(record.steps)),
            "epochs": .number(record.epochs),
            "selected_step": .integer(Int64(record.selectedStep)),
            "split": record.developmentSplit.map { .string($0) } ?? .null,
            "metrics": JSONValue(metrics: record.metrics), "history": log.json,
            "constant_loss": JSONValue(finite: constantLoss),
            "seconds": JSONValue(finite: result.timing?.seconds),
            "examples_per_second": JSONValue(finite: result.timing?.examplesPerSecond),
            "tokens_per_second": JSONValue(finite: result.timing?.tokensPerSecond),
            "numeric_path": .string(record.numericPath),
            "seed": .integer(Int64(bitPattern: record.seed)), "cached": .bool(result.wasCached),
            "passes": record.passes.json,
            "search": log.search?.json ?? .null,
            "resumed_from": result.resumedFrom.map { .integer(Int64($0)) } ?? .null,
        ]
    }

    /// In millions of tokens.
    private static func passes(_ totals: PassTotals) -> String {
        func millions(_ tokens: Double) -> String { NumberText.rate(tokens / 1e6) + " M" }
        return "\(millions(totals.forward)) tokens forward, \(millions(totals.inputGradient)) back to inputs, "
            + "\(millions(totals.weightGradient)) to weights"
    }

    private static func search(_ search: RunLog.Search, steps: Int) -> String {
        let sizes = search.stepSizes, rate = NumberText.fixed(Double(search.forwardPasses) / Double(max(1, steps)), 2)
        var parts = ["\(rate) forward passes a step"]
        if search.searched < steps { parts.append("\(NumberText.count(search.searched)) steps with a search") }
        if search.rejected > 0 { parts.append("\(NumberText.count(search.rejected)) of \(NumberText.count(steps)) steps rejected") }
        if search.increases > 0 { parts.append("\(NumberText.count(search.increases)) with a rise of their batch's loss") }
        if search.merges > 0 { parts.append(NumberText.count(search.merges) + (search.merges == 1 ? " merge" : " merges") + " of units") }
        if let least = sizes.min(), let most = sizes.max() {
            parts.append("last step size " + (least == most ? "" : NumberText.rate(least) + " to ") + NumberText.rate(most))
        }
        return parts.joined(separator: ", ")
    }

    /// How many times those of a run without noise and trials; nothing where it is one, or where an epoch was cut short, whose tokens
    /// the record does not have.
    private func comparison(_ record: RunRecord) -> String {
        guard let split = dataset.splits.first(where: { $0.name == "train" }), record.epochs > 0,
              record.epochs == record.epochs.rounded()
        else { return "" }
        let times = record.passes.cost / (3 * record.epochs * Double(split.tokens))
        return abs(times - 1) < 0.005 ? "" : "; \(NumberText.fixed(times, 2)) times a plain run"
    }

    private func text(_ name: String) -> String {
        let record = result.record
        var text = "run \(name), \(result.run.short)\(result.wasCached ? ", found in the store" : "")\n"
        var pairs = [
            ("model", record.model.short),
            (
                "trained",
                "\(NumberText.count(record.steps)) steps, \(NumberText.fixed(record.epochs, 2)) epochs of "
                    + "\(NumberText.count(record.trainExamples)) examples, seed \(record.seed)"
            ),
            ("kept", "the weights of step \(NumberText.count(record.selectedStep))"),
        ]
        if let resumed = result.resumedFrom { pairs.append(("resumed", "from step \(NumberText.count(resumed))")) }
        if let timing = result.timing {
            pairs.append(
                (
                    "time",
                    "\(NumberText.duration(timing.seconds)), \(NumberText.rate(timing.examplesPerSecond)) examples/s, "
                        + "\(NumberText.rate(timing.tokensPerSecond)) tokens/s"
                ))
        }
        pairs.append(("passes", Self.passes(record.passes) + comparison(record)))
        if let search = log.search { pairs.append(("search", Self.search(search, steps: record.steps))) }
        pairs.append(("computed by", record.numericPath))
        text += TextTable.facts(pairs)
        if !log.epochs.isEmpty { text += "\n" + epochTable }
        if let split = record.developmentSplit, !record.metrics.isEmpty {
            text += "\n" + MetricsTable(record.metrics, split: split).text
        } else if record.developmentSplit == nil {
            text += "\nNothing was measured: there was no labelled split '\(dataset.task.developmentSplit)', or evaluate=never.\n"
        }
        if let nothing = nothingLearnt { text += "\n" + nothing }
        return text
    }

    /// Said when the kept weights are right no more often than the most frequent label of the split is.
    private var nothingLearnt: String? {
        guard case .classification = dataset.task.kind, let name = result.record.developmentSplit,
              let split = dataset.splits.first(where: { $0.name == name }), split.examples > 0,
              let most = split.labelCounts.max(by: { $0.examples < $1.examples }),
              let accuracy = result.record.metrics.first(where: { $0.name == "accuracy" })?.value
        else { return nil }
        let share = Double(most.examples) / Double(split.examples)
        // Where labels are rare, a model that finds some of them may be right less often, and has learnt something.
        let matthews = result.record.metrics.first { $0.name == "matthews" }?.value ?? 0
        guard accuracy <= share, matthews <= 0 else { return nil }
        return """
            The \(name) accuracy, \(NumberText.metric(accuracy)), is no better than that of the answer '\(most.label)' to every text, \
            \(NumberText.metric(share)): nothing was
            learnt in \(NumberText.count(result.record.steps)) updates that helps there. \(whatMayHelp)

            """
    }

    private var whatMayHelp: String {
        if let search = log.search, search.rejected == result.record.steps {
            return "Every step was rejected, and no weight has moved: a smaller initial_step, more max_trials or a lower armijo_c may."
        }
        var ways = ["more epochs", recipe.optimizer.triesSteps ? "another optimizer" : "another learning_rate"]
        let constants = recipe.optimizer.values
        if constants["whole_move"] == "measure", constants["units"] != 1, constants["momentum_after_acceptance"] == false {
            ways.append("whole_move=search")
        }
        if let noise = recipe.objective.settings?.noise { ways.append("a smaller " + (noise.ascentSteps > 0 ? "noise_step" : "noise_size")) }
        let text = ways.dropLast().joined(separator: ", ") + " or " + ways[ways.count - 1] + " may."
        return text.prefix(1).uppercased() + text.dropFirst()
    }

    /// Of a long run the first and the last epochs are shown, and the one that was kept.
    private static let shownEpochs = (first: 4, last: 12)

    private var epochTable: String {
        let names = dataset.task.metrics
        var table = TextTable([.right, .right, .right] + names.map { _ in .right } + [.left])
        table.add(["epoch", "step", "loss"] + names + [""])
        var isSkipping = false
        for (place, epoch) in log.epochs.enumerated() {
            let isKept = epoch.step == result.record.selectedStep
            guard place < Self.shownEpochs.first || place >= log.epochs.count - Self.shownEpochs.last || isKept else {
                if !isSkipping { table.add(["…", "…", "…"] + names.map { _ in "…" } + [""]) }
                isSkipping = true
                continue
            }
            isSkipping = false
            table.add(
                ["\(epoch.epoch)", NumberText.count(epoch.step), epoch.loss.map { NumberText.fixed($0, 4) } ?? ""]
                    + names.map { name in epoch.metrics.map { NumberText.metric($0[name]?.doubleValue) } ?? "" } + [
                        isKept ? "kept" : ""
                    ])
        }
        return table.text
    }
}
