import ArgumentParser

/// The tool's name and version, which references in a store record.
enum Tool {
    static let version = "0.1.0"
    static let name = "pipeline \(version)"
}

struct PipelineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline",
        abstract: "Adapts pre-trained BERT and RoBERTa encoders to your task, on the machine you have.",
        discussion: """
            Four stages, chained through one store of artifacts. What was computed once is found again.

              pipeline import ./minilm --name minilm
              pipeline prepare --task mrpc --data ./glue --model minilm --name mrpc
              pipeline adapt --model minilm --data mrpc --name mrpc-minilm --set learning_rate=1e-4
              pipeline eval mrpc-minilm
              pipeline predict mrpc-minilm --text "It rained all day." --pair "The day was wet."

            Exit codes: 0 done, 1 failed, 2 damaged data found, 64 wrong usage, 65 bad input, 69 unavailable, \
            130 and 143 interrupted after saving.
            """,
        version: Tool.version,
        subcommands: [
            ImportCommand.self, PrepareCommand.self, AdaptCommand.self, EvalCommand.self, PredictCommand.self,
            ExportCommand.self, PushCommand.self, PullCommand.self, TokenizeCommand.self, RecipesCommand.self, BenchCommand.self, StoreCommand.self,
        ])
}
