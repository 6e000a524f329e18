import ArgumentParser

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Looks after the store.",
        discussion: """
              pipeline store list
              pipeline store show mrpc-minilm
              pipeline store verify
              pipeline store gc
            """,
        subcommands: [
            StoreListCommand.self, StoreShowCommand.self, StoreLogCommand.self, StoreDiffCommand.self, StoreTagCommand.self,
            StoreRemoveCommand.self, StoreUsageCommand.self, StoreRetentionCommand.self, StoreGCCommand.self,
            StoreVerifyCommand.self, StoreCompressCommand.self, StoreRepairCommand.self, StoreRebuildIndexCommand.self,
        ])
}
