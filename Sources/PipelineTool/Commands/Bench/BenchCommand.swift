import ArgumentParser

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures the machine's speed with the tool's own code.",
        discussion: """
              pipeline bench step --shape bert-base
              pipeline bench kernels --shape minilm-l6 --precision bf16
              pipeline bench lengths
              pipeline bench optimizer --recipe lamb
              pipeline bench tokenizer minilm --input sentences.txt
              pipeline bench store minilm
            """,
        subcommands: [
            BenchStepCommand.self, BenchKernelsCommand.self, BenchLengthsCommand.self, BenchOptimizerCommand.self,
            BenchTokenizerCommand.self, BenchStoreCommand.self,
        ])
}
