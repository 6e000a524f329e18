import ArgumentParser

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Looks after the store.",
        discussion: """
              pipeline store list
              pipeline store show mrpc-minilm
              pipeline store verify
            """,
        subcommands: [StoreListCommand.self, StoreShowCommand.self, StoreVerifyCommand.self, StoreUsageCommand.self])
}
