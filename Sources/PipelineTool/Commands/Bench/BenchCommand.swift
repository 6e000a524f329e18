import ArgumentParser

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures the machine's speed with the tool's own code.",
        discussion: """
              pipeline bench step --shape bert-base
              pipeline bench store minilm
            """,
        subcommands: [BenchStepCommand.self, BenchStoreCommand.self])
}
