import ArgumentParser
import Foundation
import Pipeline
import Store

struct AdaptCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adapt", abstract: "Adapts a model to a dataset.",
        discussion: """
            The same model, data, recipe and seed are never computed twice. An interrupted run goes \
            on from its newest checkpoint with the same command, and ends exactly as if it had not been interrupted. \
            'pipeline recipes' lists the keys of a recipe, --explain tells what comes of them. LAMB exists in variants; \
            'lamb' is that of timm's Lamb at a decay above 0.

              pipeline adapt --model minilm --data mrpc --name mrpc-minilm --set learning_rate=1e-4 --set epochs=3
              pipeline adapt --model minilm --data mrpc --name mrpc-careful --recipe careful.yaml --seed 1
              pipeline adapt --model minilm --data mrpc --name mrpc-minilm --dry-run
              pipeline adapt --recipe scala --explain
            """)

    @Option(help: ArgumentHelp("The model to begin with: a model's or a run's name, or a digest.", valueName: "model"))
    var model: String?

    @Option(help: ArgumentHelp("The dataset.", valueName: "data"))
    var data: String?

    @Option(help: ArgumentHelp("The run's name in the store.", valueName: "run"))
    var name: String?

    @OptionGroup var recipe: RecipeArguments

    @Option(help: ArgumentHelp("Decides the order of examples, dropout, new weights, noise and the units that a search draws.", valueName: "number"))
    var seed: UInt64 = 0

    @Flag(help: "Estimate time, memory and disk from a few real steps, and store nothing.")
    var dryRun = false

    @Flag(
        help: ArgumentHelp(
            "Tell every constant of the recipe, its formulas, what its steps cost and what is in memory, and run nothing.",
            discussion: "With --model and --data for these; without them for any."))
    var explain = false

    @Option(
        help: ArgumentHelp(
            "A JSON file with the order of examples: epochs of batches of row numbers from 0.", valueName: "file"))
    var order: String?

    @Option(help: ArgumentHelp("Write the run's log to this file too, line by line while it grows.", valueName: "file"))
    var log: String?

    @Option(
        help: ArgumentHelp(
            "Write batch, weights, gradient and the direction of a line search of every step to a new folder. About 8 bytes a parameter and step, 12 with a search.",
            valueName: "folder"))
    var trace: String?

    @Flag(help: "Make a new head even where the model's own would fit.")
    var newHead = false

    @Flag(help: "Forget the checkpoints of an interrupted run and begin it anew.")
    var restart = false

    @Flag(help: "Give the name to this run even where it is in use; the old one stays in the name's history.")
    var replace = false

    @Option(help: ArgumentHelp("Save a checkpoint every so many steps.", valueName: "steps"))
    var checkpointSteps: Int?

    @Option(help: ArgumentHelp("Save a checkpoint every so many minutes; 0 saves none by time.", valueName: "minutes"))
    var checkpointMinutes = 10.0

    @Flag(
        help: ArgumentHelp(
            "Leave the run as it was written, instead of encoding what stays of it with more effort at the end.",
            discussion: "That takes about a tenth of the run's time, at least 2 and at most about 60 seconds, changes no digest, and ends at Ctrl-C; the run is finished by then."))
    var noCompress = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
        try validateInputs()
        if seed > UInt64(Int64.max) { throw ValidationError("--seed takes a number up to \(Int64.max), not \(seed).") }
        if let checkpointSteps, checkpointSteps < 1 {
            throw ValidationError("--checkpoint-steps takes a number of at least 1, not \(checkpointSteps).")
        }
        guard checkpointMinutes >= 0, checkpointMinutes.isFinite else {
            throw ValidationError("--checkpoint-minutes takes a number of at least 0, not \(checkpointMinutes).")
        }
    }

    private func validateInputs() throws {
        if explain {
            if dryRun { throw ValidationError("--explain and --dry-run are two reports. Ask for one of them.") }
            if (model == nil) != (data == nil) {
                throw ValidationError("--explain takes --model and --data together, or neither of them.")
            }
            return
        }
        for (name, value) in [("model", model), ("data", data), ("name", dryRun ? name ?? "" : name)] where value == nil {
            throw ValidationError("Missing expected argument '--\(name) <\(name == "name" ? "run" : name)>'")
        }
    }

    func run() throws {
        if explain { return try explainRecipe() }
        guard let model, let data else { preconditionFailure("validated") }
        let name = name ?? "RUN"
        var stage = AdaptStage(model: model, data: data, name: name, recipe: try recipe.resolve(), seed: seed)
        stage.order = try order.map(OrderFile.read)
        stage.makesNewHead = newHead
        stage.replaces = replace
        stage.restarts = restart
        stage.trace = trace.map { URL(fileURLWithPath: $0, isDirectory: true) }
        stage.checkpointSteps = checkpointSteps
        stage.checkpointMinutes = checkpointMinutes > 0 ? checkpointMinutes : nil
        let session = try Session(common, dryRun ? .reading : .writing, title: "adapt")
        if dryRun { return try estimate(stage, name, session) }

        let file = try log.map { try LogFile($0) }
        let context = session.context { event in
            if case .logged(let lines) = event { file?.append(lines) }
        }
        let result = try session.perform { try stage.run(context) }
        let runLog = try RunLog(result.run, session.store)
        if let file {
            if result.wasCached { file.append(runLog.lines) }
            try file.close()
        }
        let report = RunReport(result, runLog, dataset: try PreparedDataset.find(data, in: session.store), recipe: stage.recipe)
        // Without a split to measure on there is something to predict.
        let next = result.record.developmentSplit == nil
            ? session.command(words: ["predict", name, "--text", "…"]) : session.command("eval", name)
        try session.finish(report.report(name: name, next: next))
        if !noCompress, !result.wasCached { compress(result, context) }
    }

    /// Whatever happens here, the run is finished.
    private func compress(_ result: AdaptStage.Result, _ context: StageContext) {
        let progress = ProgressReporter(title: "compress", terminal: Terminal.standardError, isQuiet: common.quiet)
        defer { progress.finish() }
        do {
            let done = try RunCompression(run: result.run, seconds: result.timing?.seconds ?? 0).run(context) { done in
                progress.progress(done: done.doneBytes, total: done.totalBytes, unit: "", amount: NumberText.bytes)
            }
            if done.savedBytes > 0 { progress.line("compress   \(NumberText.bytes(done.savedBytes)) saved") }
            if !done.isComplete { progress.note("the run is finished; what is left to compress stays as it is") }
        } catch {
            progress.note("the run is finished but was not compressed: \(error)")
        }
    }

    private func explainRecipe() throws {
        let (values, origins) = try recipe.given()
        guard let model, let data else {
            let report = ExplanationReport(try RecipeArguments.placing(origins) { try RecipeExplanation(values, origins: origins) }).report(
                next: ShellText.command(
                    ["adapt", "--model", "MODEL", "--data", "DATA", "--name", "RUN"] + recipe.words))
            if common.json { return try StandardOutput.write(report.json.canonicalText() + "\n") }
            return try StandardOutput.write(report.text + (common.quiet ? "" : report.next.map { "\nnext: \($0)\n" } ?? ""))
        }
        var stage = AdaptStage(model: model, data: data, name: name ?? "RUN", recipe: try recipe.resolve(), seed: seed)
        stage.order = try order.map(OrderFile.read)
        stage.makesNewHead = newHead
        let session = try Session(common, .reading, title: "adapt")
        let explanation = try session.perform { try stage.explain(values, origins: origins, session.context()) }
        try session.finish(
            ExplanationReport(explanation).report(
                next: session.command(
                    words: ["adapt", "--model", model, "--data", data, "--name", name ?? "RUN"] + recipe.words)))
    }

    private func estimate(_ stage: AdaptStage, _ name: String, _ session: Session) throws {
        let e = try session.perform { try stage.estimate(session.context()) }
        let json: JSONValue = [
            "steps": .integer(Int64(e.steps)), "parameters": .integer(Int64(e.parameters)),
            "trained_parameters": .integer(Int64(e.trainedParameters)), "memory_bytes": .integer(Int64(e.memoryBytes)),
            "disk_bytes": .integer(Int64(e.diskBytes)), "seconds_per_step": JSONValue(finite: e.secondsPerStep),
            "seconds": JSONValue(finite: e.seconds), "numeric_path": .string(e.numericPath),
        ]
        let text =
            "estimate of \(name)\n"
            + TextTable.facts([
                ("steps", NumberText.count(e.steps)),
                (
                    "parameters",
                    "\(NumberText.count(e.parameters)), of which \(NumberText.count(e.trainedParameters)) are trained"
                ),
                ("time", "\(NumberText.duration(e.seconds)), \(NumberText.rate(e.secondsPerStep * 1000)) ms a step"),
                ("memory", NumberText.bytes(e.memoryBytes)), ("disk", "about " + NumberText.bytes(e.diskBytes) + ", with its checkpoints until the next collection"),
                ("computed by", e.numericPath),
            ])
        let words = ProcessInfo.processInfo.arguments.dropFirst().filter { $0 != "--dry-run" } + (self.name == nil ? ["--name", name] : [])
        try session.finish(Report(json: json, text: text, next: ShellText.command(words)))
    }
}
