import ArgumentParser
import Foundation
import Pipeline
import Store

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes a model as a folder that transformers loads.",
        discussion: """
              pipeline export mrpc-minilm ./mrpc-minilm
            """)

    @Argument(help: ArgumentHelp("A run or a model.", valueName: "run|model"))
    var subject: String

    @Argument(help: ArgumentHelp("The folder to make.", valueName: "folder"))
    var folder: String

    @Flag(help: "Take the place of a model's folder that is there, with everything in it.")
    var replace = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try Session(common, .reading, title: "export")
        let url = URL(fileURLWithPath: folder, isDirectory: true)
        let result = try session.perform {
            try ExportStage(model: subject, folder: url, replaces: replace).run(session.context())
        }
        let hasHead = try StoredModel.find(result.model.description, in: session.store).description.head != nil
        let loader = hasHead ? "AutoModelForSequenceClassification" : "AutoModel"
        let json: JSONValue = [
            "model": .string(result.model.description), "folder": .string(url.path),
            "files": .array(result.files.map { .string($0) }),
        ]
        var table = TextTable([.left, .right])
        for file in result.files {
            let size =
                try? FileManager.default.attributesOfItem(atPath: url.appendingPathComponent(file).path)[.size] as? Int
            table.add(file, size.map { NumberText.bytes($0) } ?? "")
        }
        try session.finish(
            Report(
                json: json, text: "\(folder), model \(result.model.short)\n" + table.text,
                next: "python3 -c 'from transformers import \(loader); \(loader).from_pretrained(\"\(folder)\")'"))
    }
}
